import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.message.SaslAuthenticateRequestData;
import org.apache.kafka.common.message.SaslAuthenticateResponseData;
import org.apache.kafka.common.message.SaslHandshakeRequestData;
import org.apache.kafka.common.message.SaslHandshakeResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Performs calls of the Kafka protocol, in every version and as several users, and prints the answers.
 *
 * <p>The arguments are two times HOST:PORT, which take SASL PLAIN without TLS: of the users, and of admin, who always
 * comes straight to the broker. Each line of the standard input is one step:
 * {@code {"api", "body", "versions": [from, to], "users": [...], "capture": {NAME: POINTER}, "connection"}}. The body
 * is what Kafka's own JSON converters read; a field that it lacks has its default. In it, <code>${v}</code> is the
 * version, <code>${user}</code> the user, <code>${id:NAME}</code> the id of a topic, and <code>${NAME}</code> what an
 * earlier step captured; <code>"#{NAME}"</code> is the same without the quotation marks. Each answer is one line, with
 * everything taken out of it that differs from one cluster to the next.
 */
public final class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectMapper COMMENTED = new ObjectMapper().enable(JsonParser.Feature.ALLOW_COMMENTS);
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final int PATIENCE_MS = 20_000;
    /** What says nothing about rights. */
    private static final List<String> PLACES = List.of("host", "port", "clusterId", "throttleTimeMs", "rack",
        "clusterAuthorizedOperations", "nodeEndpoints", "currentLeader", "logAppendTimeMs", "transactionStartTimeMs",
        "heartbeatIntervalMs", "lastTimestamp", "clientHost", "groupEpoch", "assignmentEpoch");

    private static final Map<String, List<String>> LISTS = Map.of(
        "topics", List.of("a1", "b1", "sh", "seen", "none"),
        "existing", List.of("a1", "b1", "sh", "seen"),
        "groups", List.of("ga", "gb", "gr", "gd", "gnone"),
        "transactions", List.of("ta", "tb", "td", "tnone"));

    private final String address;
    private final String brokers;
    private final Map<String, Connection> connections = new HashMap<>();
    private final Map<String, String> values = new HashMap<>();
    private final Map<String, String> names = new HashMap<>();

    private Oracle(String address, String brokers) {
        this.address = address;
        this.brokers = brokers;
        values.put("id:none", "none-topic-id-abcdefgQ");
    }

    public static void main(String[] arguments) throws Exception {
        Oracle oracle = new Oracle(arguments[0], arguments[1]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (!line.isBlank() && !line.startsWith("//")) {
                oracle.perform(line);
            }
        }
    }

    private void perform(String line) throws Exception {
        JsonNode step = JSON.readTree(line);
        ApiKeys api = ApiKeys.valueOf(step.get("api").asText());
        int from = api.messageType.lowestSupportedVersion();
        int to = api.messageType.highestSupportedVersion(true);
        if (step.has("versions")) {
            from = Math.max(from, step.get("versions").get(0).asInt());
            to = Math.min(to, step.get("versions").get(1).asInt());
        }
        List<String> users = new ArrayList<>();
        if (step.has("users")) {
            step.get("users").forEach(user -> users.add(user.asText()));
        } else {
            users.addAll(List.of("alice", "bob", "eve"));
        }
        for (int version = from; version <= to; version++) {
            for (String user : users) {
                one(line, api, (short) version, user);
            }
        }
    }

    private void one(String line, ApiKeys api, short version, String user) throws Exception {
        values.put("v", Integer.toString(version));
        values.put("user", user);
        JsonNode step = JSON.readTree(filled(each(JSON.readTree(line)).toString()));
        ObjectNode out = NODES.objectNode();
        out.put("api", api.name()).put("version", version).put("user", user);
        if (step.has("name")) {
            out.set("name", step.get("name"));
        }
        int attempts = step.path("until").isMissingNode() ? 1 : 100;
        JsonNode answer = null;
        for (int attempt = 0; attempt < attempts; attempt++) {
            answer = exchange(step, api, version, user);
            if (attempts == 1 || holds(step.get("until"), answer)) {
                break;
            }
            Thread.sleep(100);
        }
        if (step.has("capture")) {
            for (Map.Entry<String, JsonNode> wanted : step.get("capture").properties()) {
                JsonNode found = answer.at(wanted.getValue().asText());
                values.put(wanted.getKey(), found.asText());
            }
        }
        learn(answer);
        if (!step.path("silent").asBoolean()) {
            out.set("answer", normal(answer, ""));
            System.out.println(sorted(out));
            System.out.flush();
        }
    }

    private static boolean holds(JsonNode until, JsonNode answer) {
        for (Map.Entry<String, JsonNode> wanted : until.properties()) {
            if (!answer.at(wanted.getKey()).asText().equals(wanted.getValue().asText())) {
                return false;
            }
        }
        return true;
    }

    private JsonNode exchange(JsonNode step, ApiKeys api, short version, String user) throws Exception {
        String name = user + "/" + step.path("connection").asText("");
        ApiMessage request = request(api, version, step.get("body"), step);
        Connection connection = connections.get(name);
        if (connection == null) {
            connection = new Connection(user);
            connections.put(name, connection);
        }
        try {
            if (step.path("noAnswer").asBoolean()) {
                connection.send(api, version, request);
                // Whether the connection outlives it shows in what is asked next.
                ApiMessage metadata = request(ApiKeys.METADATA, (short) 12, JSON.readTree("{\"topics\": []}"), step);
                connection.send(ApiKeys.METADATA, (short) 12, metadata);
                connection.receive(ApiKeys.METADATA, (short) 12);
                return NODES.textNode("served");
            }
            connection.send(api, version, request);
            return json(connection.receive(api, version), version);
        } catch (EOFException | SocketException closed) {
            connections.remove(name);
            return NODES.textNode("closed");
        } catch (SocketTimeoutException late) {
            connections.remove(name);
            return NODES.textNode("no answer");
        }
    }

    /** Puts an array in the place of each {@code {"each": LIST, "of": ELEMENT}}. */
    private static JsonNode each(JsonNode node) {
        if (node.isArray()) {
            ArrayNode result = NODES.arrayNode();
            node.forEach(element -> result.add(each(element)));
            return result;
        }
        if (!node.isObject()) {
            return node;
        }
        if (node.has("each")) {
            String variable = node.has("as") ? "${" + node.get("as").asText() + "}" : "${it}";
            ArrayNode result = NODES.arrayNode();
            for (String name : LISTS.get(node.get("each").asText())) {
                result.add(parsed(each(node.get("of")).toString().replace(variable, name)));
            }
            return result;
        }
        ObjectNode result = NODES.objectNode();
        node.properties().forEach(field -> result.set(field.getKey(), each(field.getValue())));
        return result;
    }

    private String filled(String line) {
        String text = line;
        for (Map.Entry<String, String> value : values.entrySet()) {
            text = text.replace("\"#{" + value.getKey() + "}\"", value.getValue());
            text = text.replace("${" + value.getKey() + "}", value.getValue());
        }
        return text;
    }

    /** Topic ids, by which later steps name topics. */
    private void learn(JsonNode answer) {
        for (JsonNode topic : answer.path("topics")) {
            String id = topic.path("topicId").asText("");
            String name = topic.path("name").asText("");
            if (!id.isEmpty() && !id.equals(Uuid.ZERO_UUID.toString()) && !name.isEmpty() && !name.equals("null")) {
                values.put("id:" + name, id);
                names.put(id, name);
            }
        }
    }

    private JsonNode normal(JsonNode node, String key) {
        if (node.isObject()) {
            ObjectNode result = NODES.objectNode();
            for (Map.Entry<String, JsonNode> field : node.properties()) {
                if (!PLACES.contains(field.getKey())) {
                    result.set(field.getKey(), normal(field.getValue(), field.getKey()));
                }
            }
            return result;
        }
        if (node.isArray()) {
            List<String> texts = new ArrayList<>();
            node.forEach(element -> texts.add(sorted(normal(element, key))));
            texts.sort(null);
            ArrayNode result = NODES.arrayNode();
            texts.forEach(text -> result.add(parsed(text)));
            return result;
        }
        if (node.isTextual()) {
            String text = node.asText();
            for (Map.Entry<String, String> value : values.entrySet()) {
                if (value.getValue().length() > 15) {
                    text = text.replace(value.getValue(), "<" + value.getKey() + ">");
                }
            }
            return NODES.textNode(text.replaceAll("[A-Za-z0-9_-]{20,60}", "<id>"));
        }
        if (key.equals("producerId") && node.asLong() >= 0) {
            return NODES.textNode("<producer>");
        }
        if (key.equals("sessionId") && node.asLong() > 0) {
            return NODES.textNode("<session>");
        }
        return node;
    }

    static JsonNode parsed(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static String sorted(JsonNode node) {
        return inOrder(node).toString();
    }

    private static JsonNode inOrder(JsonNode node) {
        if (node.isObject()) {
            TreeMap<String, JsonNode> fields = new TreeMap<>();
            node.properties().forEach(field -> fields.put(field.getKey(), inOrder(field.getValue())));
            ObjectNode result = NODES.objectNode();
            fields.forEach(result::set);
            return result;
        }
        if (node.isArray()) {
            ArrayNode result = NODES.arrayNode();
            node.forEach(element -> result.add(inOrder(element)));
            return result;
        }
        return node;
    }

    /** The message of a body: the defaults of this version, with the fields of the step over them. */
    private static ApiMessage request(ApiKeys api, short version, JsonNode body, JsonNode step) throws Exception {
        ApiMessage empty = api.messageType.newRequest();
        ObjectNode whole = (ObjectNode) json(empty, version);
        if (body != null) {
            whole.setAll((ObjectNode) known(body, schema(api).get("fields"), schema(api).path("commonStructs"), version));
        }
        Class<?> converter = converter(empty);
        ApiMessage request = (ApiMessage) called(converter.getMethod("read", JsonNode.class, short.class), whole, version);
        if (request instanceof ProduceRequestData produce) {
            boolean isTransactional = step.path("transactional").asBoolean(produce.transactionalId() != null);
            long producer = step.path("producerId").asLong(-1);
            short epoch = (short) step.path("producerEpoch").asInt(-1);
            int sequence = step.path("sequence").asInt(-1);
            SimpleRecord record = new SimpleRecord(System.currentTimeMillis(), "value".getBytes(StandardCharsets.UTF_8));
            produce.topicData().forEach(topic -> topic.partitionData().forEach(partition ->
                partition.setRecords(isTransactional
                    ? MemoryRecords.withTransactionalRecords(Compression.NONE, producer, epoch, sequence, record)
                    : MemoryRecords.withRecords(Compression.NONE, record))));
        }
        return request;
    }

    /** The schema of a request, which the jar of Kafka's clients has. */
    private static JsonNode schema(ApiKeys api) throws IOException {
        String name = api.messageType.newRequest().getClass().getSimpleName().replaceAll("Data$", "");
        try (InputStream in = ApiKeys.class.getResourceAsStream("/common/message/" + name + ".json")) {
            return COMMENTED.readTree(in);
        }
    }

    /** A body without the fields that this version does not have. */
    private static JsonNode known(JsonNode body, JsonNode fields, JsonNode structs, short version) {
        if (body.isArray()) {
            ArrayNode result = NODES.arrayNode();
            body.forEach(element -> result.add(known(element, fields, structs, version)));
            return result;
        }
        if (!body.isObject() || fields == null) {
            return body;
        }
        ObjectNode result = NODES.objectNode();
        for (JsonNode field : fields) {
            String name = field.get("name").asText();
            String key = name.substring(0, 1).toLowerCase(Locale.ROOT) + name.substring(1);
            if (body.has(key) && isIn(field.get("versions").asText(), version)) {
                JsonNode inner = field.get("fields");
                for (JsonNode struct : structs) {
                    if (field.get("type").asText().endsWith(struct.get("name").asText())) {
                        inner = struct.get("fields");
                    }
                }
                result.set(key, known(body.get(key), inner, structs, version));
            }
        }
        return result;
    }

    /** Whether a version is in what the schemas write as 3, 0-2, 4+ or none. */
    private static boolean isIn(String versions, short version) {
        if (versions.equals("none")) {
            return false;
        }
        if (versions.endsWith("+")) {
            return version >= Short.parseShort(versions.substring(0, versions.length() - 1));
        }
        String[] ends = versions.split("-");
        return Short.parseShort(ends[0]) <= version && version <= Short.parseShort(ends[ends.length - 1]);
    }

    private static JsonNode json(ApiMessage message, short version) throws Exception {
        return (JsonNode) called(converter(message).getMethod("write", message.getClass(), short.class), message, version);
    }

    private static Object called(java.lang.reflect.Method method, Object... arguments) throws Exception {
        try {
            return method.invoke(null, arguments);
        } catch (InvocationTargetException thrown) {
            throw new IllegalArgumentException(arguments[0].toString(), thrown.getCause());
        }
    }

    private static Class<?> converter(ApiMessage message) throws ClassNotFoundException {
        return Class.forName(message.getClass().getName() + "JsonConverter");
    }

    /** An authenticated connection. */
    private final class Connection {
        private final DataInputStream in;
        private final DataOutputStream out;
        private int correlation;

        Connection(String user) throws Exception {
            String at = user.equals("admin") ? brokers : address;
            int colon = at.lastIndexOf(':');
            Socket socket = new Socket(at.substring(0, colon), Integer.parseInt(at.substring(colon + 1)));
            socket.setSoTimeout(PATIENCE_MS);
            socket.setTcpNoDelay(true);
            in = new DataInputStream(socket.getInputStream());
            out = new DataOutputStream(socket.getOutputStream());
            send(ApiKeys.SASL_HANDSHAKE, (short) 1, new SaslHandshakeRequestData().setMechanism("PLAIN"));
            if (((SaslHandshakeResponseData) receive(ApiKeys.SASL_HANDSHAKE, (short) 1)).errorCode() != 0) {
                throw new IOException("the handshake failed");
            }
            byte[] token = ("\0" + user + "\0" + user + "-secret").getBytes(StandardCharsets.UTF_8);
            send(ApiKeys.SASL_AUTHENTICATE, (short) 2, new SaslAuthenticateRequestData().setAuthBytes(token));
            if (((SaslAuthenticateResponseData) receive(ApiKeys.SASL_AUTHENTICATE, (short) 2)).errorCode() != 0) {
                throw new IOException("authentication of " + user + " failed");
            }
        }

        void send(ApiKeys api, short version, ApiMessage body) throws IOException {
            RequestHeaderData header = new RequestHeaderData().setRequestApiKey(api.id).setRequestApiVersion(version)
                .setCorrelationId(++correlation).setClientId("oracle");
            short headerVersion = api.requestHeaderVersion(version);
            ObjectSerializationCache cache = new ObjectSerializationCache();
            int size = header.size(cache, headerVersion) + body.size(cache, version);
            ByteBuffer bytes = ByteBuffer.allocate(size);
            ByteBufferAccessor accessor = new ByteBufferAccessor(bytes);
            header.write(accessor, cache, headerVersion);
            body.write(accessor, cache, version);
            out.writeInt(size);
            out.write(bytes.array());
            out.flush();
        }

        ApiMessage receive(ApiKeys api, short version) throws IOException {
            byte[] bytes = new byte[in.readInt()];
            in.readFully(bytes);
            ByteBufferAccessor accessor = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
            ResponseHeaderData header = new ResponseHeaderData(accessor, api.responseHeaderVersion(version));
            if (header.correlationId() != correlation) {
                throw new IllegalStateException("an answer to " + header.correlationId() + ", not to " + correlation);
            }
            ApiMessage body = api.messageType.newResponse();
            body.read(accessor, version);
            if (accessor.remaining() != 0) {
                throw new IllegalStateException(accessor.remaining() + " bytes behind the answer to " + api);
            }
            return body;
        }
    }
}
