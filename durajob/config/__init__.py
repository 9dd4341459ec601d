"""What people write in workflows.toml and say by options and environment.

``toml`` reads the file, ``settings`` says which file and which store, ``load`` decodes the file
into the types of ``specs``; ``target``, ``template`` and ``names`` hold the small languages in it.
Nothing here imports users' code or LangGraph: what a name leads to is the registry's.
"""
