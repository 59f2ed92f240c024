# supplier_api in a container: `docker run -p 8080:8080 -p 8090:8090 IMAGE` runs the main job.
# Keeps to what the classic builder knows.

# The very image, whatever its tag comes to mean: Python 3.13.15 on Debian 13. For a newer one, ask
# `docker buildx imagetools inspect python:3.13-slim`. PYTHON_IMAGE=... make image takes another.
ARG PYTHON_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM $PYTHON_IMAGE AS build
WORKDIR /build
RUN python -m venv /opt/supplier_api
# The dependencies first: they change less often than the code does.
COPY requirements.lock requirements-build.lock ./
RUN /opt/supplier_api/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
    -r requirements.lock -r requirements-build.lock
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY config ./config
COPY supplier_api ./supplier_api
COPY scripts/compose_secrets.py ./
# Without an index: what builds it is there, checked by its hash.
RUN /opt/supplier_api/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation . \
    && sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p; s/^version = /supplier_api==/p' \
        requirements.lock setup.cfg > /opt/supplier_api/constraints.txt
# A file in config/ that names packages of your own: docs/install.md.
ARG PLUGINS
WORKDIR /build/config
RUN [ -z "$PLUGINS" ] || /opt/supplier_api/bin/pip install --no-cache-dir -r "$PLUGINS" \
    --constraint /opt/supplier_api/constraints.txt
WORKDIR /build
RUN /opt/supplier_api/bin/pip uninstall --yes setuptools pip \
    && install -m 755 compose_secrets.py /opt/supplier_api/bin/compose-secrets \
    && find /opt/supplier_api -name tests -type d -prune -exec rm -rf {} +

FROM $PYTHON_IMAGE
LABEL org.opencontainers.image.title="supplier_api" \
      org.opencontainers.image.description="The supplier's side of a broadband wholesale gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/supplier_api /opt/supplier_api
# A user by number, so that a platform can tell that it is not root; the data is all that it writes.
RUN mkdir -m 700 /data && chown 10001:10001 /data
# In an image FROM this one `pip install` goes to where we are, and changes nothing of ours.
ENV PATH=/opt/supplier_api/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_PYTHON=/opt/supplier_api/bin/python \
    PIP_CONSTRAINT=/opt/supplier_api/constraints.txt \
    SUPPLIER_API_DATA_DIR=/data \
    SUPPLIER_API__SERVER__HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 8090
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s \
    CMD ["python", "-m", "supplier_api.health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["supplier-api"]
CMD ["run"]
