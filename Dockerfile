# The service in a container: `docker build --target cpu .` or, for a machine with an NVIDIA GPU, `docker build --target cuda .`;
# and what retrains its models: `docker build --target training .`
# docs/deployment.md says how to run either. For a release, name the base by its digest, so that the same sources give the
# same image: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# What installs, and the project as a wheel. None of it reaches the image that runs.
FROM ${PYTHON_IMAGE} AS tools
WORKDIR /src
COPY requirements/build.txt requirements/build.txt
RUN python -m venv /opt/tools && \
    /opt/tools/bin/python -m pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY features features
COPY example_generators example_generators
COPY transforms transforms
COPY pipelines pipelines
COPY models models
COPY serving serving
COPY augury augury
RUN /opt/tools/bin/python -m hatchling build --target wheel --directory /dist

FROM tools AS installed-cpu
COPY requirements/serving.txt requirements/serving.txt
RUN /opt/tools/bin/uv venv --python /usr/local/bin/python /opt/augury && \
    /opt/tools/bin/uv pip install --python /opt/augury/bin/python --no-cache --no-deps --compile-bytecode --only-binary :all: --require-hashes -r requirements/serving.txt && \
    /opt/tools/bin/uv pip install --python /opt/augury/bin/python --no-cache --no-deps --compile-bytecode --offline /dist/augury-0.1.0-py3-none-any.whl

# ONNX Runtime with CUDA is another distribution of the same modules, so it has a lock of its own. CUDA and cuDNN come as
# wheels; only the driver is the machine's, put in by the NVIDIA container toolkit.
FROM tools AS installed-cuda
COPY requirements/serving-cuda.txt requirements/serving-cuda.txt
RUN /opt/tools/bin/uv venv --python /usr/local/bin/python /opt/augury && \
    /opt/tools/bin/uv pip install --python /opt/augury/bin/python --no-cache --no-deps --compile-bytecode --only-binary :all: --require-hashes -r requirements/serving-cuda.txt && \
    /opt/tools/bin/uv pip install --python /opt/augury/bin/python --no-cache --no-deps --compile-bytecode --offline /dist/augury-0.1.0-py3-none-any.whl

# Everything from examples to promotion, for the jobs of retraining: Beam, TensorFlow and, to verify, the service.
FROM tools AS installed-training
COPY requirements/pipelines.txt requirements/pipelines.txt
COPY requirements/behavior.txt requirements/behavior.txt
COPY requirements/serving.txt requirements/serving.txt
RUN /opt/tools/bin/uv venv --python /usr/local/bin/python /opt/augury && \
    /opt/tools/bin/uv pip install --python /opt/augury/bin/python --no-cache --no-deps --compile-bytecode --only-binary :all: --require-hashes -r requirements/pipelines.txt -r requirements/behavior.txt -r requirements/serving.txt && \
    /opt/tools/bin/uv pip install --python /opt/augury/bin/python --no-cache --no-deps --compile-bytecode --offline /dist/augury-0.1.0-py3-none-any.whl

# TensorFlow Data Validation wants older versions of what the rest has: it is asked in an environment of its own.
FROM tools AS installed-tfdv
COPY requirements/tfdv.txt requirements/tfdv.txt
RUN /opt/tools/bin/uv venv --python /usr/local/bin/python /opt/tfdv && \
    /opt/tools/bin/uv pip install --python /opt/tfdv/bin/python --no-cache --no-deps --compile-bytecode --only-binary :all: --require-hashes -r requirements/tfdv.txt

# A job's image: a step's lines are `sh -efc`'s argument (deploy/workflows/retrain.json). It writes to its working folder.
FROM ${PYTHON_IMAGE} AS training
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/augury --shell /usr/sbin/nologin augury
ENV PATH=/opt/augury/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    AUGURY_TFDV_PYTHON=/opt/tfdv/bin/python
WORKDIR /var/lib/augury
COPY --from=installed-training /opt/augury /opt/augury
COPY --from=installed-tfdv /opt/tfdv /opt/tfdv
USER 10001:10001
CMD ["augury", "--help"]

FROM ${PYTHON_IMAGE} AS service
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/augury --shell /usr/sbin/nologin augury && \
    install --directory --owner=augury --group=augury --mode=0750 /var/lib/augury
ENV PATH=/opt/augury/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUGURY_HOST=0.0.0.0 \
    AUGURY_PORT=8000 \
    AUGURY_STATE_DIR=/var/lib/augury
WORKDIR /var/lib/augury
VOLUME /var/lib/augury
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a service that waits for its store or its models is no reason to end it. A load balancer asks /readyz.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"AUGURY_PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["augury"]
CMD ["serve"]

FROM service AS cuda
COPY --from=installed-cuda /opt/augury /opt/augury
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    AUGURY_HEATMAP_DEVICE=cuda
USER 10001:10001

FROM service AS cpu
COPY --from=installed-cpu /opt/augury /opt/augury
USER 10001:10001
