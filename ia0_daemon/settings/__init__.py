"""Configuration: ``schema.py`` says what there is, ``load.py`` reads file and environment."""
