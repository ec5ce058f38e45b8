__version__: str


def __getattr__(name: str) -> str:
    """Return `__version__`: that of the installed package, which comes from the tag, or 0.0.0 in a checkout.

    It is computed on access: importlib.metadata takes a while to import, and a signal during that time would be lost.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("sagemaker-exporter")
    except PackageNotFoundError:
        return "0.0.0"
