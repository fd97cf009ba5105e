#!/bin/sh
# Writes the secrets that kustomization.yaml reads. What is already there is kept: a new pepper makes every key invalid.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
for name in key-pepper clickhouse-password; do
  if [ ! -s "secrets/$name" ]; then
    openssl rand -hex 32 | tr -d '\n' > "secrets/$name"
  fi
done
if [ ! -s secrets/tenants.yaml ]; then
  echo "put your tenants into $(pwd)/secrets/tenants.yaml (docs/TENANTS.md)" >&2
  exit 1
fi
