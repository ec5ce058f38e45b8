__version__: str


def __getattr__(name: str) -> str:
    """Return `__version__`, which the tag gives to the installed package; 0.0.0 in a checkout, as with `make demo`.

    Only when somebody asks: importlib.metadata takes a while to import, and a signal that comes meanwhile is lost.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("sagemaker-exporter")
    except PackageNotFoundError:
        return "0.0.0"
