# The image of sagemaker-exporter: Python, the locked packages and the exporter; no pip, no compiler, no root.
#
#   make image                              the version from the newest tag
#   docker build -t sagemaker-exporter .    no version: 0.0.0
#
# Both stages use the same base, whose Python must be 3.11 or newer. The same commit, base and SOURCE_DATE_EPOCH give
# the same files; with `docker buildx build --output type=image,rewrite-timestamp=true` the same layers.
ARG BASE=python:3.13-slim-bookworm
ARG VERSION=0.0.0

FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=0
ARG VERSION
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_NO_INPUT=1
WORKDIR /build
RUN python3 -m venv /build/venv && python3 -m venv --without-pip /opt/venv
COPY requirements.lock requirements-build.lock ./
RUN /build/venv/bin/pip install -q --require-hashes --no-deps -r requirements-build.lock \
    && /build/venv/bin/pip --python /opt/venv/bin/python install -q --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter ./exporter
# Bytecode that is checked by nothing and holds no time: a read-only root could not write it later.
RUN SETUPTOOLS_SCM_PRETEND_VERSION="${VERSION}" /build/venv/bin/python -m hatchling build -t wheel -d dist \
    && /build/venv/bin/pip --python /opt/venv/bin/python install -q --no-deps --no-index dist/*.whl \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib \
    && install -d -o 65532 -g 65532 -m 0750 /state/sagemaker-exporter \
    && find /opt/venv /state -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE}
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sagemaker-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Amazon SageMaker training jobs" \
      org.opencontainers.image.source="https://github.com/sagemaker-exporter/sagemaker-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The base's own pip is of no use to an exporter, only to an intruder.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/* /usr/local/lib/python3.*/ensurepip \
    /usr/lib/python3.*/ensurepip /usr/share/python-wheels
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=65532:65532 /state /var/lib/
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HEALTHCHECK_URL=http://127.0.0.1:9841/healthz
USER 65532:65532
WORKDIR /var/lib/sagemaker-exporter
EXPOSE 9841
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(os.environ['HEALTHCHECK_URL'], timeout=3)"]
ENTRYPOINT ["sagemaker-exporter"]
