"""durajob under every fault that can be produced, judged from outside.

``python -m tests.faults`` tells what there is. Each part has a full form, which is a command,
and a sampled one, which is a test. The judge (``journal``) believes nothing that durajob says:
the steps themselves write down what they do.
"""
