"""Produces and consumes with kafka-python; see testkit/src/other_clients.rs for the arguments."""

import sys
import time

from kafka import KafkaConsumer, KafkaProducer

bootstrap, mechanism, user, password, topic, count, millis = sys.argv[1:]
count, pause = int(count), int(millis) / 1000 / int(count)
settings = {
    "bootstrap_servers": bootstrap,
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": mechanism,
    "sasl_plain_username": user,
    "sasl_plain_password": password,
}
producer = KafkaProducer(acks="all", **settings)
for number in range(count):
    producer.send(topic, f"v{number}".encode()).get(timeout=30)
    time.sleep(pause)
producer.close()
consumer = KafkaConsumer(topic, auto_offset_reset="earliest", group_id=None, consumer_timeout_ms=30000, **settings)
values = []
for record in consumer:
    values.append(record.value.decode())
    if len(values) == count:
        break
consumer.close()
expected = [f"v{number}" for number in range(count)]
assert sorted(values) == sorted(expected), values
print(f"consumed {len(values)}")
