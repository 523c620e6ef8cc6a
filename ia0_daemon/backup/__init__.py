"""Archives of this host's configuration, keys, models' descriptions and history, and the way back.

    create:   places -> collect -> write beside -> read back -> rename
    restore:  read and verify -> plan -> check the configuration -> undo archive -> put in place

`service.py` is the door; `archive_read.py` alone decides whether an archive is whole.
"""
