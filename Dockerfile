FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/rolecall
WORKDIR /src
COPY constraints.txt ./
# The CPU build: the default one brings several GB of CUDA. First, so that a change of code keeps the layer.
RUN /opt/rolecall/bin/pip install --no-deps --index-url https://download.pytorch.org/whl/cpu \
    "$(grep ^torch== constraints.txt)"
COPY . .
RUN /opt/rolecall/bin/pip install --constraint constraints.txt . && chmod -R a+rX /opt/rolecall

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/rolecall /opt/rolecall
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin rolecall
# Faust makes its data directory, which stays empty, in the working directory.
WORKDIR /tmp
ENV PATH=/opt/rolecall/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ROLECALL_LOG_FORMAT=json \
    ROLECALL_HTTP_PORT=9464
USER 10001:10001
# The worker's; other commands have no such port: --no-healthcheck.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 \
    CMD ["python", "-c", "from os import environ as e; from urllib.request import urlopen; urlopen('http://127.0.0.1:' + e['ROLECALL_HTTP_PORT'] + '/ready', timeout=8)"]
ENTRYPOINT ["rolecall"]
CMD ["worker"]
