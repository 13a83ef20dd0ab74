import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupAuthorizationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;

/**
 * A consumer whose user lacks some rights. It prints one line for each record and for each error that the application
 * sees.
 *
 * <p>Arguments: {@code share|pattern} HOST:PORT USER GROUP TOPICS, and for {@code share} a second HOST:PORT, which takes
 * admin's changes of the group's configuration. {@code pattern} ends when it has what LAST says, as the seventh argument,
 * and three seconds have brought nothing new.
 */
public final class PartialRights {
    private static final Duration POLL = Duration.ofMillis(250);
    private static final int QUIET_POLLS = 12;
    private static final int MOST_POLLS = 200;

    public static void main(String[] arguments) throws Exception {
        String mode = arguments[0];
        Map<String, Object> settings = login(arguments[1], arguments[2]);
        settings.put("group.id", arguments[3]);
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        if (mode.equals("share")) {
            fromTheBeginning(arguments[5], arguments[3]);
            share(settings, List.of(arguments[4].split(",")));
        } else {
            settings.put("group.protocol", "consumer");
            settings.put("auto.offset.reset", "earliest");
            settings.put("metadata.max.age.ms", "1000");
            pattern(settings, arguments[4], Integer.parseInt(arguments[5]));
        }
    }

    private static Map<String, Object> login(String bootstrap, String user) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("security.protocol", "SASL_PLAINTEXT");
        settings.put("sasl.mechanism", "PLAIN");
        settings.put("sasl.jaas.config", "org.apache.kafka.common.security.plain.PlainLoginModule required username=\""
            + user + "\" password=\"" + user + "-secret\";");
        return settings;
    }

    private static void fromTheBeginning(String broker, String group) throws Exception {
        try (Admin admin = Admin.create(login(broker, "admin"))) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            Collection<AlterConfigOp> set = List.of(
                new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET));
            admin.incrementalAlterConfigs(Map.of(resource, set)).all().get();
        }
    }

    /** Consumes until it is killed. */
    private static void share(Map<String, Object> settings, List<String> topics) {
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(settings)) {
            consumer.subscribe(topics);
            while (true) {
                try {
                    for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                        say(record);
                    }
                } catch (KafkaException error) {
                    say(error);
                }
            }
        }
    }

    private static void pattern(Map<String, Object> settings, String pattern, int records) {
        Set<String> seen = new TreeSet<>();
        int got = 0;
        int quiet = 0;
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(new SubscriptionPattern(pattern));
            for (int polls = 0; polls < MOST_POLLS && quiet < QUIET_POLLS; polls++) {
                boolean isNew = false;
                try {
                    for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                        isNew |= seen.add(text(record));
                        got++;
                    }
                } catch (KafkaException error) {
                    isNew |= seen.add(text(error));
                }
                quiet = isNew || got < records ? 0 : quiet + 1;
            }
        }
        seen.forEach(System.out::println);
    }

    private static void say(ConsumerRecord<String, String> record) {
        System.out.println(text(record));
        System.out.flush();
    }

    private static void say(KafkaException error) {
        System.out.println(text(error));
        System.out.flush();
    }

    private static String text(ConsumerRecord<String, String> record) {
        return "record " + record.topic() + " " + record.value();
    }

    private static String text(KafkaException error) {
        String about = "";
        if (error instanceof TopicAuthorizationException topics) {
            about = " " + new TreeSet<>(topics.unauthorizedTopics());
        } else if (error instanceof GroupAuthorizationException group) {
            about = " " + group.groupId();
        }
        return "error " + error.getClass().getSimpleName() + about;
    }
}
