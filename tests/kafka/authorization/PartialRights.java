import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupAuthorizationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;

/**
 * A share consumer whose user lacks some rights. It prints one line for each record and for each error that the application
 * sees, until it is killed.
 *
 * <p>Arguments: HOST:PORT, user, group, topics, and a second HOST:PORT, which takes admin's changes of the group's
 * configuration.
 */
public final class PartialRights {
    private static final Duration POLL = Duration.ofMillis(250);

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = login(arguments[0], arguments[1]);
        settings.put("group.id", arguments[2]);
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        fromTheBeginning(arguments[4], arguments[2]);
        share(settings, List.of(arguments[3].split(",")));
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
