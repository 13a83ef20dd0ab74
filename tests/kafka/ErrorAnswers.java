import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;

/**
 * Prints requests of every API and version, each with what the Java client makes of it as an error answer: one line
 * "key version variant code request answer" of decimal numbers and hexadecimal bytes; "-" for no answer, and "!" with a
 * reason where the client's classes refuse the request.
 */
public class ErrorAnswers {
    /** The fields of a request's schema, and the structures that it names. */
    record Schema(JsonNode root, Map<String, JsonNode> structures) {}

    /** What a request is made of. */
    enum Variant { FULL, EMPTY, NULLS }

    static final short[] CODES = {31, 35, -1};
    static final ObjectMapper MAPPER = new ObjectMapper().enable(JsonParser.Feature.ALLOW_COMMENTS);
    static int counter;

    public static void main(String[] args) throws Exception {
        for (ApiKeys key : ApiKeys.values()) {
            Schema schema = schema(key);
            if (schema == null) continue;
            for (short version = key.oldestVersion(); version <= key.latestVersion(true); version++) {
                for (Variant variant : Variant.values()) {
                    print(key, version, variant, schema);
                }
            }
        }
    }

    static void print(ApiKeys key, short version, Variant variant, Schema schema) {
        for (short code : CODES) {
            String head = key.id + " " + version + " " + variant + " " + code + " ";
            try {
                counter = 0;
                ObjectNode json = (ObjectNode) struct(schema.root.get("fields"), version, variant, schema);
                fit(key, version, json);
                byte[] request = request(key, version, json);
                String answer = answer(key, version, request, code);
                System.out.println(head + HexFormat.of().formatHex(request) + " " + answer);
            } catch (Throwable refused) {
                Throwable cause = refused.getCause() == null ? refused : refused.getCause();
                System.out.println(head + "! " + cause.toString().replace('\n', ' '));
            }
        }
    }

    static Schema schema(ApiKeys key) throws Exception {
        String name = key.messageType.requestSchemas().length == 0 ? null : key.name;
        String file = "common/message/" + name + "Request.json";
        try (InputStream stream = ErrorAnswers.class.getClassLoader().getResourceAsStream(file)) {
            if (stream == null) return null;
            JsonNode root = MAPPER.readTree(stream);
            boolean clients = false;
            for (JsonNode listener : root.path("listeners")) {
                clients |= listener.asText().equals("broker") || listener.asText().equals("zkBroker");
            }
            Map<String, JsonNode> structures = new HashMap<>();
            for (JsonNode structure : root.path("commonStructs")) {
                structures.put(structure.get("name").asText(), structure.get("fields"));
            }
            return new Schema(root, structures);
        }
    }

    /** The values that a request's constructor insists on. */
    static void fit(ApiKeys key, short version, ObjectNode json) {
        if (key == ApiKeys.PRODUCE) json.put("acks", -1);
        if (key == ApiKeys.FIND_COORDINATOR) json.put("keyType", 0);
    }

    static JsonNode struct(JsonNode fields, short version, Variant variant, Schema schema) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        for (JsonNode field : fields) {
            if (contains(field.get("versions").asText(), version)) {
                String name = field.get("name").asText();
                String camel = Character.toLowerCase(name.charAt(0)) + name.substring(1);
                node.set(camel, value(field, version, variant, schema));
            }
        }
        return node;
    }

    static JsonNode value(JsonNode field, short version, Variant variant, Schema schema) {
        JsonNodeFactory make = JsonNodeFactory.instance;
        String type = field.get("type").asText();
        JsonNode nullable = field.get("nullableVersions");
        if (variant == Variant.NULLS && nullable != null && contains(nullable.asText(), version)) {
            return make.nullNode();
        }
        if (type.startsWith("[]")) {
            ArrayNode array = make.arrayNode();
            for (int i = 0; i < (variant == Variant.FULL ? 2 : 0); i++) {
                array.add(plain(type.substring(2), field, version, variant, schema));
            }
            return array;
        }
        return plain(type, field, version, variant, schema);
    }

    static JsonNode plain(String type, JsonNode field, short version, Variant variant, Schema schema) {
        JsonNodeFactory make = JsonNodeFactory.instance;
        counter++;
        boolean full = variant == Variant.FULL;
        switch (type) {
            case "bool": return make.booleanNode(full);
            case "int8":
                // What access control lists are made of has values that the classes refuse.
                String name = field.get("name").asText();
                if (name.toLowerCase().contains("patterntype")) return make.numberNode(3);
                if (name.startsWith("ResourceType") || name.equals("Operation") || name.equals("PermissionType")) return make.numberNode(2);
                return make.numberNode(full ? counter % 3 : 0);
            case "int16": case "uint16": case "int32": case "uint32": case "int64": return make.numberNode(full ? counter : 0);
            case "float64": return make.numberNode(full ? counter + 0.5 : 0.0);
            case "string": return make.textNode(full ? "text-" + counter : "");
            case "uuid": return make.textNode((full ? new Uuid(7, counter) : Uuid.ZERO_UUID).toString());
            case "bytes": case "records": return make.binaryNode(full ? new byte[] {1, 2, (byte) counter} : new byte[0]);
            default:
                JsonNode fields = field.has("fields") ? field.get("fields") : schema.structures.get(type);
                return struct(fields, version, variant, schema);
        }
    }

    static boolean contains(String versions, short version) {
        if (versions.equals("none")) return false;
        int from;
        int to;
        if (versions.endsWith("+")) {
            from = Integer.parseInt(versions.substring(0, versions.length() - 1));
            to = Integer.MAX_VALUE;
        } else if (versions.contains("-")) {
            from = Integer.parseInt(versions.substring(0, versions.indexOf('-')));
            to = Integer.parseInt(versions.substring(versions.indexOf('-') + 1));
        } else {
            from = to = Integer.parseInt(versions);
        }
        return from <= version && version <= to;
    }

    static byte[] request(ApiKeys key, short version, ObjectNode json) throws Exception {
        String type = key.messageType.newRequest().getClass().getName() + "JsonConverter";
        Method read = Class.forName(type).getMethod("read", JsonNode.class, short.class);
        return bytes((ApiMessage) read.invoke(null, json, version), version);
    }

    static byte[] bytes(ApiMessage message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    static String answer(ApiKeys key, short version, byte[] request, short code) throws Exception {
        Method parse = null;
        for (Method method : AbstractRequest.class.getMethods()) {
            if (method.getName().equals("parseRequest")) parse = method;
        }
        Class<?> reads = parse.getParameterTypes()[2];
        ByteBuffer buffer = ByteBuffer.wrap(request);
        Object from = reads == ByteBuffer.class ? buffer : new ByteBufferAccessor(buffer);
        Object parsed = parse.invoke(null, key, version, from);
        AbstractRequest read = (AbstractRequest) (parsed instanceof AbstractRequest ? parsed : parsed.getClass().getField("request").get(parsed));
        AbstractResponse response = read.getErrorResponse(0, Errors.forCode(code).exception());
        return response == null ? "-" : HexFormat.of().formatHex(bytes(response.data(), version));
    }
}
