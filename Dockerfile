# docker build -t frostline .
# docker run --rm -v "$PWD:/work" frostline train -m data.path=photos freeze=0,2,4
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" ...   # files belong to you, not to root
# docker run --rm --gpus all --shm-size 2g -v "$PWD:/work" frostline train -m data.path=photos freeze=0,2,4
#
# PyTorch from PyPI runs on CUDA and on the CPU.
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY src src
COPY conf conf
COPY experiments experiments
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ARG EXTRAS="export"
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[${EXTRAS}]" && rm -r /wheels
# Runs, checkpoints and MLflow's database lie in the mounted folder; weights and features are kept in /cache.
ENV FROSTLINE_CACHE=/cache/frostline HF_HOME=/cache/huggingface TORCH_HOME=/cache/torch
# Any user may keep weights and features, also one without a home.
RUN mkdir -p /cache && chmod 1777 /cache
ENV HOME=/cache
VOLUME ["/work", "/cache"]
WORKDIR /work
ENTRYPOINT ["frostline"]
CMD ["--help"]
