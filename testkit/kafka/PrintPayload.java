package software.amazon.msk.auth.iam.internals;

import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;

/** Prints what the client of Amazon MSK sends: host, id of the key, the key, and the token of a temporary key. */
public class PrintPayload {
    public static void main(String[] args) throws Exception {
        AwsCredentials keys = args.length > 3
            ? AwsSessionCredentials.create(args[1], args[2], args[3])
            : AwsBasicCredentials.create(args[1], args[2]);
        AuthenticationRequestParams params = AuthenticationRequestParams.create(args[0], keys, "agent");
        System.out.println(new String(new AWS4SignedPayloadGenerator().signedPayload(params), "UTF-8"));
    }
}
