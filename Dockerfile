# supplier_api in a container: `docker run -p 8080:8080 -p 8090:8090 IMAGE` runs the main job.
# Keeps to what the classic builder knows.

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/supplier_api
# The dependencies first: they change less often than the code does.
COPY requirements.lock ./
RUN /opt/supplier_api/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
    -r requirements.lock
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY config ./config
COPY supplier_api ./supplier_api
RUN /opt/supplier_api/bin/pip install --no-cache-dir --no-deps . \
    && /opt/supplier_api/bin/pip uninstall --yes pip \
    && find /opt/supplier_api -name tests -type d -prune -exec rm -rf {} +

FROM python:3.13-slim
LABEL org.opencontainers.image.title="supplier_api" \
      org.opencontainers.image.description="The supplier's side of a broadband wholesale gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/supplier_api /opt/supplier_api
# A user by number, so that a platform can tell that it is not root; the data is all that it writes.
RUN mkdir /data && chown 10001:10001 /data
ENV PATH=/opt/supplier_api/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
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
