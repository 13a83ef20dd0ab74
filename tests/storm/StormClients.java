import java.io.File;
import java.io.FileReader;
import java.io.IOException;
import java.io.Reader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * The reference clients of the storm, all in one process.
 *
 * Arguments: the file whose appearance stops the producers, the brokers' own address, and NAME=BOOTSTRAP for each
 * virtual cluster. The system property `storm.client.config` may name a file of properties for all clients. SIGTERM
 * stops the consumers. Every line of standard output is one event:
 *   ok TOPIC SEQ | failed TOPIC SEQ WHY | committed TOPIC NUMBER | aborted TOPIC NUMBER | unknown TOPIC NUMBER WHY
 *   seen GROUP TOPIC SEQ,… | error CLIENT WHAT | done CLIENT
 */
public final class StormClients {
    private static final int PER_TRANSACTION = 5;
    private static final int PARTITIONS = 2;
    private static volatile boolean consuming = true;
    private static File stop;

    public static void main(String[] args) throws Exception {
        stop = new File(args[0]);
        List<Thread> consumers = new ArrayList<>();
        List<String> clusters = List.of(args).subList(2, args.length);
        shareFromTheBeginning(args[1], clusters);
        for (String cluster : clusters) {
            String name = cluster.substring(0, cluster.indexOf('='));
            String bootstrap = cluster.substring(cluster.indexOf('=') + 1);
            start(name + "-java-idempotent", id -> produce(id, bootstrap, true));
            start(name + "-java-retries0", id -> produce(id, bootstrap, false));
            start(name + "-java-transactional", id -> transact(id, bootstrap));
            consumers.add(start(name + "-java-consumer", id -> consume(id, name, bootstrap)));
            consumers.add(start(name + "-java-share", id -> share(id, name, bootstrap)));
        }
        CountDownLatch over = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consuming = false;
            try {
                for (Thread consumer : consumers) {
                    consumer.join(20_000);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        over.await();
    }

    private interface Client {
        void run(String id) throws Exception;
    }

    private static Thread start(String id, Client client) {
        Thread thread = new Thread(() -> {
            try {
                client.run(id);
            } catch (Throwable e) {
                say("error " + id + " it ended with " + e);
            }
            say("done " + id);
        }, id);
        thread.start();
        return thread;
    }

    private static synchronized void say(String line) {
        System.out.println(line.replace('\n', ' '));
    }

    private static void shareFromTheBeginning(String bootstrap, List<String> clusters) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            Map<ConfigResource, Collection<AlterConfigOp>> changes = new TreeMap<>(
                (one, other) -> one.name().compareTo(other.name()));
            for (String cluster : clusters) {
                String group = cluster.substring(0, cluster.indexOf('=')) + "-java-share";
                changes.put(
                    new ConfigResource(ConfigResource.Type.GROUP, group),
                    List.of(new AlterConfigOp(
                        new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)));
            }
            admin.incrementalAlterConfigs(changes).all().get();
        }
    }

    private static Properties common(String id, String bootstrap) throws IOException {
        Properties properties = new Properties();
        String more = System.getProperty("storm.client.config");
        if (more != null) {
            try (Reader reader = new FileReader(more)) {
                properties.load(reader);
            }
        }
        properties.put("client.id", id);
        properties.put("bootstrap.servers", bootstrap);
        // What a slow machine takes is no fault.
        properties.put("request.timeout.ms", 180_000);
        properties.put("default.api.timeout.ms", 300_000);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        return properties;
    }

    private static Properties producer(String topic, String bootstrap) throws IOException {
        Properties properties = common(topic, bootstrap);
        properties.put("delivery.timeout.ms", 600_000);
        properties.put("max.block.ms", 300_000);
        return properties;
    }

    private static String value(long sequence) {
        String number = String.format("%010d", sequence);
        return sequence % 50 == 0 ? number + ".".repeat(20_000) : number + ".".repeat(90);
    }

    private static long sequence(String value) {
        return Long.parseLong(value.substring(0, 10));
    }

    private static ProducerRecord<String, String> record(String topic, long sequence) {
        return new ProducerRecord<>(topic, (int) (sequence % PARTITIONS), null, value(sequence));
    }

    private static void produce(String topic, String bootstrap, boolean idempotent) throws Exception {
        Properties properties = producer(topic, bootstrap);
        properties.put("enable.idempotence", idempotent);
        properties.put("linger.ms", 2);
        if (!idempotent) {
            properties.put("retries", 0);
        }
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (long next = 0; !stop.exists(); next++) {
                long sequence = next;
                producer.send(record(topic, sequence), (metadata, error) ->
                    say(error == null ? "ok " + topic + " " + sequence : "failed " + topic + " " + sequence + " " + error));
                Thread.sleep(10);
            }
        }
    }

    private static void transact(String topic, String bootstrap) throws Exception {
        Properties properties = producer(topic, bootstrap);
        properties.put("transactional.id", topic);
        properties.put("transaction.timeout.ms", 300_000);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            producer.initTransactions();
            for (long number = 0; !stop.exists(); number++) {
                producer.beginTransaction();
                for (int i = 0; i < PER_TRANSACTION; i++) {
                    producer.send(record(topic, number * PER_TRANSACTION + i));
                    Thread.sleep(5);
                }
                if (number % 4 == 3) {
                    producer.abortTransaction();
                    say("aborted " + topic + " " + number);
                } else {
                    producer.commitTransaction();
                    say("committed " + topic + " " + number);
                }
            }
        }
    }

    private static void consume(String group, String cluster, String bootstrap) throws IOException {
        Properties properties = common(group, bootstrap);
        properties.put("group.id", group);
        properties.put("group.protocol", "consumer");
        properties.put("auto.offset.reset", "earliest");
        properties.put("isolation.level", "read_committed");
        properties.put("enable.auto.commit", false);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties)) {
            consumer.subscribe(List.of(
                cluster + "-java-idempotent", cluster + "-java-transactional", cluster + "-lib-idempotent"));
            while (consuming) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                seen(group, records);
                if (!records.isEmpty()) {
                    try {
                        consumer.commitSync();
                    } catch (RuntimeException e) {
                        say("error " + group + " commit: " + e);
                    }
                }
            }
        }
    }

    private static void share(String group, String cluster, String bootstrap) throws IOException {
        Properties properties = common(group, bootstrap);
        properties.put("group.id", group);
        properties.put("share.acknowledgement.mode", "explicit");
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(properties)) {
            consumer.subscribe(List.of(cluster + "-java-idempotent", cluster + "-lib-idempotent"));
            while (consuming) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty()) {
                    continue;
                }
                for (ConsumerRecord<String, String> record : records) {
                    consumer.acknowledge(record);
                }
                // Only what the broker took counts: the rest comes again.
                Map<TopicIdPartition, ?> results = consumer.commitSync();
                boolean all = true;
                for (Object result : results.values()) {
                    if (((java.util.Optional<?>) result).isPresent()) {
                        all = false;
                        say("error " + group + " acknowledge: " + ((java.util.Optional<?>) result).get());
                    }
                }
                if (all) {
                    seen(group, records);
                }
            }
        }
    }

    private static void seen(String group, ConsumerRecords<String, String> records) {
        Map<String, StringJoiner> byTopic = new TreeMap<>();
        for (ConsumerRecord<String, String> record : records) {
            byTopic.computeIfAbsent(record.topic(), topic -> new StringJoiner(","))
                .add(Long.toString(sequence(record.value())));
        }
        byTopic.forEach((topic, sequences) -> say("seen " + group + " " + topic + " " + sequences));
    }
}
