import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Prints messages as Kafka's own classes write them, for `tests/kafka/schemas.rs`. One line each:
 * `header KEY VERSION REQUEST_HEADER RESPONSE_HEADER`, `default KEY DIRECTION VERSION BODY`,
 * `body KEY DIRECTION VERSION BODY NAMES`, names being `KIND=HEX` separated by commas, in no order that matters.
 */
public final class Schemas {
    private static final HexFormat HEX = HexFormat.of();
    private static final ObjectMapper JSON =
        new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);
    private static final Map<String, JsonNode> FILES = new HashMap<>();

    private static PrintWriter out;

    public static void main(String[] arguments) throws Exception {
        int seeds = Integer.parseInt(arguments[0]);
        out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8)));
        for (ApiMessageType api : ApiMessageType.values()) {
            for (short version = api.lowestSupportedVersion(); version <= api.highestSupportedVersion(true); version++) {
                out.printf("header %d %d %d %d%n", api.apiKey(), version,
                    api.requestHeaderVersion(version), api.responseHeaderVersion(version));
                messages(api, "request", api.requestSchemas()[version], version, seeds);
                messages(api, "response", api.responseSchemas()[version], version, seeds);
            }
        }
        out.flush();
    }

    private static ApiMessage fresh(ApiMessageType api, String direction) {
        return direction.equals("request") ? api.newRequest() : api.newResponse();
    }

    private static void messages(ApiMessageType api, String direction, Schema schema, short version, int seeds)
            throws Exception {
        try {
            byte[] body = written(fresh(api, direction), version);
            out.printf("default %d %s %d x%s%n", api.apiKey(), direction, version, HEX.formatHex(body));
        } catch (RuntimeException e) {
            // A default that this version cannot say.
        }
        for (int seed = 0; seed < seeds; seed++) {
            Object value = random(schema, new Random(seed * 1000L + api.apiKey()));
            ByteBuffer buffer = ByteBuffer.allocate(schema.sizeOf(value));
            schema.write(buffer, value);
            byte[] body = buffer.array();
            ApiMessage message = fresh(api, direction);
            ByteBufferAccessor reader = new ByteBufferAccessor(ByteBuffer.wrap(body));
            message.read(reader, version);
            if (reader.remaining() != 0) {
                throw new IllegalStateException(api + " " + direction + " v" + version + ": not all was read");
            }
            // Fields that have their defaults are not written as tagged fields, so the class decides what the body is.
            body = written(message, version);
            List<String> names = new ArrayList<>();
            JsonNode file = file(message.getClass().getSimpleName().replaceAll("Data$", ""));
            collect(file, file.get("fields"), message, version, names);
            out.printf("body %d %s %d x%s x%s%n", api.apiKey(), direction, version, HEX.formatHex(body),
                String.join(",", names));
        }
    }

    private static byte[] written(ApiMessage message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = message.size(cache, version);
        ByteBufferAccessor writer = new ByteBufferAccessor(ByteBuffer.allocate(size));
        message.write(writer, cache, version);
        if (writer.buffer().position() != size) {
            throw new IllegalStateException(message + ": another size than announced");
        }
        return writer.buffer().array();
    }

    private static Object random(Type type, Random random) {
        if (type.isNullable() && random.nextInt(4) == 0) {
            return null;
        }
        if (type instanceof Schema schema) {
            Struct struct = new Struct(schema);
            for (BoundField field : schema.fields()) {
                struct.set(field, random(field.def.type, random));
            }
            return struct;
        }
        if (type.isArray()) {
            Object[] elements = new Object[random.nextInt(3)];
            for (int i = 0; i < elements.length; i++) {
                elements[i] = random(type.arrayElementType().get(), random);
            }
            return elements;
        }
        if (type instanceof TaggedFields tagged) {
            TreeMap<Integer, Object> fields = new TreeMap<>();
            for (Map.Entry<Integer, Field> field : tagged.fields().entrySet()) {
                if (random.nextBoolean()) {
                    fields.put(field.getKey(), random(field.getValue().type, random));
                }
            }
            if (random.nextInt(6) == 0) {
                int tag = 100 + random.nextInt(100_000);
                fields.put(tag, new RawTaggedField(tag, bytes(random)));
            }
            fields.values().removeIf(java.util.Objects::isNull);
            return fields;
        }
        return plain(type, random);
    }

    private static Object plain(Type type, Random random) {
        String name = type.toString();
        if (name.equals("BOOLEAN")) {
            return random.nextBoolean();
        } else if (name.equals("INT8")) {
            return (byte) random.nextInt();
        } else if (name.equals("INT16")) {
            return (short) random.nextInt();
        } else if (name.equals("UINT16")) {
            return random.nextInt(65536);
        } else if (name.equals("INT32")) {
            return random.nextInt();
        } else if (name.equals("INT64")) {
            return random.nextLong();
        } else if (name.equals("FLOAT64")) {
            return random.nextDouble();
        } else if (name.equals("UUID")) {
            return new Uuid(random.nextLong(), random.nextLong());
        } else if (name.contains("RECORDS")) {
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(random)));
        } else if (name.contains("STRING")) {
            return HEX.formatHex(bytes(random));
        } else if (name.contains("BYTES")) {
            return ByteBuffer.wrap(bytes(random));
        }
        throw new IllegalStateException("type " + name);
    }

    private static byte[] bytes(Random random) {
        byte[] bytes = new byte[random.nextInt(10) == 0 ? 60 + random.nextInt(10) : random.nextInt(12)];
        random.nextBytes(bytes);
        return bytes;
    }

    /** The schema file of a message, which names more than the classes do. */
    private static JsonNode file(String name) throws IOException {
        JsonNode known = FILES.get(name);
        if (known == null) {
            try (InputStream stream = Schemas.class.getResourceAsStream("/common/message/" + name + ".json")) {
                known = JSON.readTree(stream);
            }
            FILES.put(name, known);
        }
        return known;
    }

    private static boolean contains(String versions, int version) {
        if (versions.equals("none")) {
            return false;
        }
        if (versions.endsWith("+")) {
            return version >= Integer.parseInt(versions.substring(0, versions.length() - 1));
        }
        String[] ends = versions.split("-");
        return Integer.parseInt(ends[0]) <= version && version <= Integer.parseInt(ends[ends.length - 1]);
    }

    /** What the schema marks as a name, and ids of topics. */
    private static String kind(JsonNode field) {
        String type = field.get("type").asText();
        if (type.endsWith("uuid") && field.get("name").asText().startsWith("TopicId")) {
            return "topicId";
        }
        String entity = field.path("entityType").asText();
        boolean named = entity.equals("topicName") || entity.equals("groupId") || entity.equals("transactionalId");
        return named ? entity : null;
    }

    private static void collect(JsonNode file, JsonNode fields, Object from, int version, List<String> names)
            throws Exception {
        for (JsonNode field : fields) {
            if (!contains(field.get("versions").asText(), version)) {
                continue;
            }
            String name = field.get("name").asText();
            String getter = Character.toLowerCase(name.charAt(0)) + name.substring(1);
            var method = from.getClass().getMethod(getter);
            method.setAccessible(true);
            Object value = method.invoke(from);
            for (Object one : value instanceof Iterable<?> many ? many : List.of(value == null ? "" : value)) {
                if (value == null) {
                    break;
                }
                String kind = kind(field);
                if (kind != null) {
                    names.add(kind + "=" + hex(one));
                }
                JsonNode inner = inner(file, field);
                if (inner != null) {
                    collect(file, inner, one, version, names);
                }
            }
        }
    }

    private static String hex(Object value) {
        if (value instanceof Uuid id) {
            ByteBuffer bytes = ByteBuffer.allocate(16);
            bytes.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
            return HEX.formatHex(bytes.array());
        }
        return HEX.formatHex(((String) value).getBytes(StandardCharsets.UTF_8));
    }

    private static JsonNode inner(JsonNode file, JsonNode field) {
        if (field.has("fields")) {
            return field.get("fields");
        }
        String type = field.get("type").asText().replace("[]", "");
        for (JsonNode common : file.path("commonStructs")) {
            if (common.get("name").asText().equals(type)) {
                return common.get("fields");
            }
        }
        return null;
    }
}
