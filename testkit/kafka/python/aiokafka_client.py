"""Produces and consumes with aiokafka; see testkit/src/other_clients.rs for the arguments."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def main(bootstrap, mechanism, user, password, topic, count, millis):
    count, pause = int(count), int(millis) / 1000 / int(count)
    settings = {
        "bootstrap_servers": bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }
    producer = AIOKafkaProducer(acks="all", **settings)
    await producer.start()
    for number in range(count):
        await asyncio.wait_for(producer.send_and_wait(topic, f"v{number}".encode()), 30)
        await asyncio.sleep(pause)
    await producer.stop()
    consumer = AIOKafkaConsumer(topic, auto_offset_reset="earliest", group_id=None, **settings)
    await consumer.start()
    values = []
    while len(values) < count:
        record = await asyncio.wait_for(consumer.getone(), 30)
        values.append(record.value.decode())
    await consumer.stop()
    expected = [f"v{number}" for number in range(count)]
    assert sorted(values) == sorted(expected), values
    print(f"consumed {len(values)}")


asyncio.run(main(*sys.argv[1:]))
