import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.listener.interceptor.InMemoryInterceptedSimpleBindRequest;
import com.unboundid.ldap.listener.interceptor.InMemoryOperationInterceptor;
import com.unboundid.ldap.sdk.DN;
import com.unboundid.ldap.sdk.RDN;
import com.unboundid.util.ssl.PEMFileKeyManager;
import com.unboundid.util.ssl.SSLUtil;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;

/**
 * A directory service: certificate and key as files, then pairs of the name of a user, below PEOPLE, and a password. A name with
 * a slash is that of a user one unit below: unit/name.
 *
 * Prints "listens PORT PORT" (StartTLS and LDAPS) when it serves, and "bind CONNECTION DN" for every bind. The words "stop" and "start" on
 * its standard input end and begin its service, on the same ports.
 */
public class DirectoryService {
    private static final String BASE = "dc=example,dc=com";
    private static final String PEOPLE = "ou=people," + BASE;
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] args) throws Exception {
        SSLUtil tls = new SSLUtil(new PEMFileKeyManager(new File(args[0]), new File(args[1])), null);
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setListenerConfigs(
            InMemoryListenerConfig.createLDAPConfig("ldap", loopback, 0, tls.createSSLSocketFactory()),
            InMemoryListenerConfig.createLDAPSConfig("ldaps", loopback, 0, tls.createSSLServerSocketFactory(), null));
        config.addInMemoryOperationInterceptor(new InMemoryOperationInterceptor() {
            @Override
            public void processSimpleBindRequest(InMemoryInterceptedSimpleBindRequest bind) {
                OUT.println("bind " + bind.getConnectionID() + " " + bind.getRequest().getBindDN());
            }
        });
        InMemoryDirectoryServer server = new InMemoryDirectoryServer(config);
        server.add("dn: " + BASE, "objectClass: domain", "dc: example");
        server.add("dn: " + PEOPLE, "objectClass: organizationalUnit", "ou: people");
        for (int i = 2; i + 1 < args.length; i += 2) {
            add(server, args[i], args[i + 1]);
        }
        BufferedReader words = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String word = "start"; word != null; word = words.readLine()) {
            if (word.equals("start")) {
                server.startListening();
                OUT.println("listens " + server.getListenPort("ldap") + " " + server.getListenPort("ldaps"));
            } else {
                server.shutDown(true);
                OUT.println("stopped");
            }
        }
        System.exit(0);
    }

    private static void add(InMemoryDirectoryServer server, String name, String password) throws Exception {
        DN parent = new DN(PEOPLE);
        int slash = name.indexOf('/');
        if (slash >= 0) {
            parent = new DN(new RDN("ou", name.substring(0, slash)), parent);
            server.add("dn: " + parent, "objectClass: organizationalUnit");
            name = name.substring(slash + 1);
        }
        DN user = new DN(new RDN("uid", name), parent);
        com.unboundid.ldap.sdk.Entry entry = new com.unboundid.ldap.sdk.Entry(user);
        entry.addAttribute("objectClass", "inetOrgPerson");
        entry.addAttribute("uid", name);
        entry.addAttribute("cn", "a user");
        entry.addAttribute("sn", "user");
        entry.addAttribute("userPassword", password);
        server.add(entry);
    }
}
