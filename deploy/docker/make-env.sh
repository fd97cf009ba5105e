#!/bin/sh
# Writes .env beside docker-compose.yml with random secrets. An .env that is there already is left alone.
set -eu
cd "$(dirname "$0")/../.."
if [ -e .env ]; then
  echo ".env is there already and was not changed" >&2
  exit 0
fi
random() {
  od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}
umask 077
# A key is wk_, 8 characters that may be known, _, and 32 random bytes in the base64 of URLs.
demo_key="wk_$(random 4)_$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
# Kafka wants 16 bytes in the base64 of URLs, 22 characters.
cluster_id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n' | sed 's/^-/A/')
sed \
  -e "s|^WEIR_KEY_PEPPER=.*|WEIR_KEY_PEPPER=$(random 32)|" \
  -e "s|^WEIR_DEMO_KEY=.*|WEIR_DEMO_KEY=$demo_key|" \
  -e "s|^CLICKHOUSE_PASSWORD=.*|CLICKHOUSE_PASSWORD=$(random 24)|" \
  -e "s|^GRAFANA_CLICKHOUSE_PASSWORD=.*|GRAFANA_CLICKHOUSE_PASSWORD=$(random 24)|" \
  -e "s|^GRAFANA_ADMIN_PASSWORD=.*|GRAFANA_ADMIN_PASSWORD=$(random 16)|" \
  -e "s|^KAFKA_CLUSTER_ID=.*|KAFKA_CLUSTER_ID=$cluster_id|" \
  .env.example > .env
echo "wrote .env; your key is the WEIR_DEMO_KEY in it" >&2
