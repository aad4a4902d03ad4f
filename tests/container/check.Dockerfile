# What unit tests with the images' libraries need: Debian 12 has no hiredis with TLS. The tree is mounted.
ARG BASE=debian:trixie-slim
FROM ${BASE}
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        gcc make pkg-config libc6-dev libcmocka-dev libcurl4-openssl-dev libjansson-dev libhiredis-dev libssl-dev \
        libmicrohttpd-dev libgnutls28-dev libsodium-dev libjq-dev openssl python3-minimal redis-server
