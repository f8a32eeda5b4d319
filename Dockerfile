# The product as docker-compose.yml runs it: every process of it from one image, the sandbox from one beside it.
FROM python:3.12.13-slim-trixie AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock /
# pip serves the build alone: the environment is made without one, and the stage with it is left behind.
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv/bin/python install --require-hashes --only-binary :all: -r /requirements.lock

FROM python:3.12.13-slim-trixie AS product
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --system --gid 10001 paysaga \
    && useradd --system --uid 10001 --gid paysaga --no-create-home --shell /usr/sbin/nologin paysaga \
    && install -d -o paysaga -g paysaga /data
WORKDIR /app
COPY --from=packages /venv /venv
COPY config config
COPY domain domain
COPY events events
COPY gateways gateways
COPY ledger ledger
COPY activities activities
COPY workflows workflows
COPY api api
COPY worker.py ./
RUN python -m compileall -q .
USER 10001:10001
CMD ["python", "-m", "api", "--host", "0.0.0.0", "--port", "8080"]

FROM product AS sandbox
COPY sandbox sandbox
CMD ["python", "-m", "sandbox", "--host", "0.0.0.0", "--port", "8090", "--data", "/data"]

# What `docker build .` gives when nobody names a target.
FROM product
