/* A library to preload under durajob: it counts the system calls that change a file, over all
 * threads of the process, and at one of them does what it was told: kill the process before it,
 * after it or half-way through, let it fail, or cut the power of the file system.
 *
 * Nothing happens until fault_arm() is called (by the constructor, when FAULT_AT is set before the
 * program begins; by the test's own zygote otherwise). Then the environment says:
 *
 *   FAULT_AT     the number of the call, from 1; 0 only counts
 *   FAULT_DO     before | after | torn | shutdown | a number: the errno to fail with
 *   FAULT_FOR    how many calls fail, from FAULT_AT on (default 1)
 *   FAULT_SPARE  files, with colons between, whose calls are neither torn nor failed: the judge's
 *                own, and those that stand for a terminal
 *   FAULT_LOG    a file to which is appended what was done: "<do> <call> <size> <path>"
 *   FAULT_REST   a file to which every call is appended that is counted after one has failed
 *   FAULT_TRACE  a file to which every call that is counted is appended
 *   FAULT_MOUNT  the file system to shut down
 *   FAULT_CLOCK  a file of eight bytes: nanoseconds to add to the wall clock
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Both ext4 and XFS answer to this one; 2: drop the log, as a power cut would. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define WITHOUT_FLUSHING 2

enum deed { NOTHING, BEFORE, AFTER, TORN, POWER, FAIL };

static atomic_long count;
static long first, last;
static int armed, code, mount_fd = -1;
static enum deed deed;
static struct {
    dev_t device;
    ino_t number;
} spared[8];
static int spared_count;
static const char *report, *trace, *rest_of_calls;
static volatile int64_t *offset;

static void append(const char *path, const char *what, const char *call, long size,
                   const char *name)
{
    char text[600];
    int n = snprintf(text, sizeof text, "%s %s %ld %s\n", what, call, size, name ? name : "-");
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0)
        return;
    syscall(SYS_write, fd, text, n < (int)sizeof text ? n : (int)sizeof text - 1);
    syscall(SYS_close, fd);
}

static void die(void)
{
    syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

__attribute__((visibility("default"))) void fault_arm(void)
{
    const char *at = getenv("FAULT_AT"), *what = getenv("FAULT_DO"), *many = getenv("FAULT_FOR");
    const char *spare = getenv("FAULT_SPARE"), *where = getenv("FAULT_MOUNT");
    const char *clock = getenv("FAULT_CLOCK");
    struct stat status;
    if (clock) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, clock, O_RDONLY, 0);
        void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
        syscall(SYS_close, fd);
        offset = map == MAP_FAILED ? NULL : map;
    }
    if (!at)
        return;
    first = atol(at);
    last = first + (many ? atol(many) : 1) - 1;
    report = getenv("FAULT_LOG");
    trace = getenv("FAULT_TRACE");
    report = report ? strdup(report) : NULL;
    trace = trace ? strdup(trace) : NULL;
    rest_of_calls = getenv("FAULT_REST") ? strdup(getenv("FAULT_REST")) : NULL;
    deed = !what                      ? NOTHING
           : !strcmp(what, "before")   ? BEFORE
           : !strcmp(what, "after")    ? AFTER
           : !strcmp(what, "torn")     ? TORN
           : !strcmp(what, "shutdown") ? POWER
                                       : FAIL;
    code = deed == FAIL ? atoi(what) : 0;
    char *names = strdup(spare ? spare : ""), *rest = NULL;
    spared_count = 0;
    for (char *name = strtok_r(names, ":", &rest); name; name = strtok_r(NULL, ":", &rest))
        if (spared_count < 8 && stat(name, &status) == 0) {
            spared[spared_count].device = status.st_dev;
            spared[spared_count++].number = status.st_ino;
        }
    free(names);
    if (where)
        mount_fd = (int)syscall(SYS_openat, AT_FDCWD, where, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    atomic_store(&count, 0);
    armed = 1;
}

__attribute__((visibility("default"))) long fault_count(void) { return atomic_load(&count); }

__attribute__((constructor)) static void begin(void)
{
    if (getenv("FAULT_AT") || getenv("FAULT_CLOCK"))
        fault_arm();
}

/* What to do with a call, decided once and told to the call itself. */
struct verdict {
    enum deed deed;
    int code;
};

static struct verdict judge(const char *call, int fd, const char *path, long size)
{
    struct verdict nothing = {NOTHING, 0}, now = {deed, code};
    struct stat status;
    char link[40], name[400];
    int is_spared = 0;
    if (!armed)
        return nothing;
    if (fd >= 0) {
        /* Pipes, sockets and terminals keep nothing. */
        if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
            return nothing;
        for (int i = 0; i < spared_count; i++)
            is_spared |= status.st_ino == spared[i].number && status.st_dev == spared[i].device;
    }
    long number = atomic_fetch_add(&count, 1) + 1;
    int due = deed != NOTHING && number >= first && number <= last;
    int is_after = rest_of_calls && deed == FAIL && number > first;
    if (!due && !trace && !is_after)
        return nothing;
    if (fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, name, sizeof name - 1);
        name[n > 0 ? n : 0] = 0;
        path = name;
    }
    if (trace)
        append(trace, "count", call, size, path);
    if (is_after)
        append(rest_of_calls, "rest", call, size, path);
    if (!due)
        return nothing;
    if (is_spared && (deed == TORN || deed == FAIL)) {
        if (report)
            append(report, "spared", call, size, path);
        return nothing;
    }
    if (deed == TORN && size < 2)
        now.deed = BEFORE;
    if (report) {
        static const char *const names[] = {"nothing", "before", "after", "torn", "power", "fail"};
        append(report, names[now.deed], call, size, path);
    }
    if (now.deed == POWER) {
        uint32_t how = WITHOUT_FLUSHING;
        syscall(SYS_ioctl, mount_fd, SHUTDOWN, &how);
        die();
    }
    if (now.deed == BEFORE)
        die();
    return now;
}

#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define SHOWN __attribute__((visibility("default")))

/* Calls that write `size` bytes: these can be torn. */
#define WRITES(symbol, type_of_offset)                                                             \
    SHOWN ssize_t symbol(int fd, const void *data, size_t size, type_of_offset at)                 \
    {                                                                                              \
        REAL(ssize_t, #symbol, int, const void *, size_t, type_of_offset);                         \
        struct verdict now = judge(#symbol, fd, NULL, (long)size);                                 \
        if (now.deed == FAIL) {                                                                    \
            errno = now.code;                                                                      \
            return -1;                                                                             \
        }                                                                                          \
        ssize_t done = real(fd, data, now.deed == TORN ? size / 2 : size, at);                     \
        if (now.deed != NOTHING)                                                                   \
            die();                                                                                 \
        return done;                                                                               \
    }
WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)

SHOWN ssize_t write(int fd, const void *data, size_t size)
{
    struct verdict now = judge("write", fd, NULL, (long)size);
    if (now.deed == FAIL) {
        errno = now.code;
        return -1;
    }
    ssize_t done = syscall(SYS_write, fd, data, now.deed == TORN ? size / 2 : size);
    if (now.deed != NOTHING)
        die();
    return done;
}

/* Calls that do something whole, or not. */
#define CHANGES(symbol, fd, path, parameters, ...)                                                 \
    {                                                                                              \
        REAL(int, #symbol, parameters);                                                            \
        struct verdict now = judge(#symbol, fd, path, 0);                                          \
        if (now.deed == FAIL) {                                                                    \
            errno = now.code;                                                                      \
            return -1;                                                                             \
        }                                                                                          \
        int done = real(__VA_ARGS__);                                                              \
        if (now.deed != NOTHING)                                                                   \
            die();                                                                                 \
        return done;                                                                               \
    }
#define PARAMETERS(...) __VA_ARGS__

SHOWN int fsync(int fd) CHANGES(fsync, fd, NULL, int, fd)
SHOWN int fdatasync(int fd) CHANGES(fdatasync, fd, NULL, int, fd)
SHOWN int ftruncate(int fd, off_t size) CHANGES(ftruncate, fd, NULL, PARAMETERS(int, off_t), fd, size)
SHOWN int ftruncate64(int fd, off64_t size)
    CHANGES(ftruncate64, fd, NULL, PARAMETERS(int, off64_t), fd, size)
SHOWN int rename(const char *a, const char *b)
    CHANGES(rename, -1, a, PARAMETERS(const char *, const char *), a, b)
SHOWN int renameat(int x, const char *a, int y, const char *b)
    CHANGES(renameat, -1, a, PARAMETERS(int, const char *, int, const char *), x, a, y, b)
SHOWN int unlink(const char *path) CHANGES(unlink, -1, path, const char *, path)
SHOWN int unlinkat(int at, const char *path, int flags)
    CHANGES(unlinkat, -1, path, PARAMETERS(int, const char *, int), at, path, flags)
SHOWN int mkdir(const char *path, mode_t mode)
    CHANGES(mkdir, -1, path, PARAMETERS(const char *, mode_t), path, mode)
SHOWN int link(const char *a, const char *b)
    CHANGES(link, -1, a, PARAMETERS(const char *, const char *), a, b)
SHOWN int fchmod(int fd, mode_t mode) CHANGES(fchmod, fd, NULL, PARAMETERS(int, mode_t), fd, mode)

/* Opening changes something only where it makes a file, or empties one. */
#define OPENS(symbol, at)                                                                          \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }                                                                                              \
    int changes = (flags & O_TRUNC) != 0 && strncmp(path, "/dev/", 5) != 0;                        \
    if (armed && (flags & O_CREAT) && !changes)                                                    \
        changes = syscall(SYS_faccessat, at, path, F_OK) != 0;                                     \
    struct verdict now = {NOTHING, 0};                                                             \
    if (changes)                                                                                   \
        now = judge(symbol, -1, path, 0);                                                          \
    if (now.deed == FAIL) {                                                                        \
        errno = now.code;                                                                          \
        return -1;                                                                                 \
    }                                                                                              \
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);                                      \
    if (now.deed != NOTHING)                                                                       \
        die();                                                                                     \
    return fd;

SHOWN int open(const char *path, int flags, ...) { OPENS("open", AT_FDCWD) }
SHOWN int open64(const char *path, int flags, ...) { OPENS("open", AT_FDCWD) }
SHOWN int openat(int at, const char *path, int flags, ...) { OPENS("openat", at) }
SHOWN int openat64(int at, const char *path, int flags, ...) { OPENS("openat", at) }

/* The wall clock, and only that: waits and durations go by the monotonic one. */
SHOWN int clock_gettime(clockid_t id, struct timespec *now)
{
    int done = (int)syscall(SYS_clock_gettime, id, now);
    if (offset && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t all = now->tv_sec * 1000000000LL + now->tv_nsec + *offset;
        now->tv_sec = all / 1000000000LL;
        now->tv_nsec = all % 1000000000LL;
    }
    return done;
}

SHOWN int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec fine;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

SHOWN time_t time(time_t *kept)
{
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (kept)
        *kept = fine.tv_sec;
    return fine.tv_sec;
}
