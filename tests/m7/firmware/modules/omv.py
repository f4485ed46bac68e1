def version_string():
    return "5.0.0"
