//! The tables against `kacrab-protocol`, a codec that knows the messages of Kafka 4.3.

use bytes::{Bytes, BytesMut};
use kacrab_protocol::generated::*;

use super::super::{Direction, Draft};
use super::random::{Random, body, every_version};

/// Decodes and encodes a body; `None` if the codec does not know the message.
fn through_codec(
    api_key: i16,
    direction: Direction,
    version: i16,
    body: &[u8],
) -> Option<Result<Vec<u8>, String>> {
    let key = ApiKey::from_i16(api_key)?;
    let known = client_api_info(key);
    if version < known.min_version || known.max_version < version {
        return None;
    }
    let mut bytes = Bytes::copy_from_slice(body);
    let mut out = BytesMut::new();
    let outcome = recode(key, direction, version, &mut bytes, &mut out);
    Some(outcome.map(|()| out.to_vec()))
}

/// Defines the decoding and encoding of the messages of these APIs.
macro_rules! codec {
    ($($api:ident: $request:ident, $response:ident;)*) => {
        fn recode(
            key: ApiKey,
            direction: Direction,
            version: i16,
            bytes: &mut Bytes,
            out: &mut BytesMut,
        ) -> Result<(), String> {
            match (key, direction) {
                $(
                    (ApiKey::$api, Direction::Request) => {
                        let message = $request::read(bytes, version).map_err(|error| format!("{error:?}"))?;
                        message.write(out, version).map_err(|error| format!("{error:?}"))
                    }
                    (ApiKey::$api, Direction::Response) => {
                        let message = $response::read(bytes, version).map_err(|error| format!("{error:?}"))?;
                        message.write(out, version).map_err(|error| format!("{error:?}"))
                    }
                )*
            }
        }
    };
}

codec! {
    Produce: ProduceRequestData, ProduceResponseData;
    Fetch: FetchRequestData, FetchResponseData;
    ListOffsets: ListOffsetsRequestData, ListOffsetsResponseData;
    Metadata: MetadataRequestData, MetadataResponseData;
    OffsetCommit: OffsetCommitRequestData, OffsetCommitResponseData;
    OffsetFetch: OffsetFetchRequestData, OffsetFetchResponseData;
    FindCoordinator: FindCoordinatorRequestData, FindCoordinatorResponseData;
    JoinGroup: JoinGroupRequestData, JoinGroupResponseData;
    Heartbeat: HeartbeatRequestData, HeartbeatResponseData;
    LeaveGroup: LeaveGroupRequestData, LeaveGroupResponseData;
    SyncGroup: SyncGroupRequestData, SyncGroupResponseData;
    DescribeGroups: DescribeGroupsRequestData, DescribeGroupsResponseData;
    ListGroups: ListGroupsRequestData, ListGroupsResponseData;
    SaslHandshake: SaslHandshakeRequestData, SaslHandshakeResponseData;
    ApiVersions: ApiVersionsRequestData, ApiVersionsResponseData;
    CreateTopics: CreateTopicsRequestData, CreateTopicsResponseData;
    DeleteTopics: DeleteTopicsRequestData, DeleteTopicsResponseData;
    DeleteRecords: DeleteRecordsRequestData, DeleteRecordsResponseData;
    InitProducerId: InitProducerIdRequestData, InitProducerIdResponseData;
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequestData, OffsetForLeaderEpochResponseData;
    AddPartitionsToTxn: AddPartitionsToTxnRequestData, AddPartitionsToTxnResponseData;
    AddOffsetsToTxn: AddOffsetsToTxnRequestData, AddOffsetsToTxnResponseData;
    EndTxn: EndTxnRequestData, EndTxnResponseData;
    WriteTxnMarkers: WriteTxnMarkersRequestData, WriteTxnMarkersResponseData;
    TxnOffsetCommit: TxnOffsetCommitRequestData, TxnOffsetCommitResponseData;
    DescribeAcls: DescribeAclsRequestData, DescribeAclsResponseData;
    CreateAcls: CreateAclsRequestData, CreateAclsResponseData;
    DeleteAcls: DeleteAclsRequestData, DeleteAclsResponseData;
    DescribeConfigs: DescribeConfigsRequestData, DescribeConfigsResponseData;
    AlterConfigs: AlterConfigsRequestData, AlterConfigsResponseData;
    AlterReplicaLogDirs: AlterReplicaLogDirsRequestData, AlterReplicaLogDirsResponseData;
    DescribeLogDirs: DescribeLogDirsRequestData, DescribeLogDirsResponseData;
    SaslAuthenticate: SaslAuthenticateRequestData, SaslAuthenticateResponseData;
    CreatePartitions: CreatePartitionsRequestData, CreatePartitionsResponseData;
    CreateDelegationToken: CreateDelegationTokenRequestData, CreateDelegationTokenResponseData;
    RenewDelegationToken: RenewDelegationTokenRequestData, RenewDelegationTokenResponseData;
    ExpireDelegationToken: ExpireDelegationTokenRequestData, ExpireDelegationTokenResponseData;
    DescribeDelegationToken: DescribeDelegationTokenRequestData, DescribeDelegationTokenResponseData;
    DeleteGroups: DeleteGroupsRequestData, DeleteGroupsResponseData;
    ElectLeaders: ElectLeadersRequestData, ElectLeadersResponseData;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequestData, IncrementalAlterConfigsResponseData;
    AlterPartitionReassignments: AlterPartitionReassignmentsRequestData, AlterPartitionReassignmentsResponseData;
    ListPartitionReassignments: ListPartitionReassignmentsRequestData, ListPartitionReassignmentsResponseData;
    OffsetDelete: OffsetDeleteRequestData, OffsetDeleteResponseData;
    DescribeClientQuotas: DescribeClientQuotasRequestData, DescribeClientQuotasResponseData;
    AlterClientQuotas: AlterClientQuotasRequestData, AlterClientQuotasResponseData;
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequestData, DescribeUserScramCredentialsResponseData;
    AlterUserScramCredentials: AlterUserScramCredentialsRequestData, AlterUserScramCredentialsResponseData;
    Vote: VoteRequestData, VoteResponseData;
    BeginQuorumEpoch: BeginQuorumEpochRequestData, BeginQuorumEpochResponseData;
    EndQuorumEpoch: EndQuorumEpochRequestData, EndQuorumEpochResponseData;
    DescribeQuorum: DescribeQuorumRequestData, DescribeQuorumResponseData;
    AlterPartition: AlterPartitionRequestData, AlterPartitionResponseData;
    UpdateFeatures: UpdateFeaturesRequestData, UpdateFeaturesResponseData;
    Envelope: EnvelopeRequestData, EnvelopeResponseData;
    FetchSnapshot: FetchSnapshotRequestData, FetchSnapshotResponseData;
    DescribeCluster: DescribeClusterRequestData, DescribeClusterResponseData;
    DescribeProducers: DescribeProducersRequestData, DescribeProducersResponseData;
    BrokerRegistration: BrokerRegistrationRequestData, BrokerRegistrationResponseData;
    BrokerHeartbeat: BrokerHeartbeatRequestData, BrokerHeartbeatResponseData;
    UnregisterBroker: UnregisterBrokerRequestData, UnregisterBrokerResponseData;
    DescribeTransactions: DescribeTransactionsRequestData, DescribeTransactionsResponseData;
    ListTransactions: ListTransactionsRequestData, ListTransactionsResponseData;
    AllocateProducerIds: AllocateProducerIdsRequestData, AllocateProducerIdsResponseData;
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequestData, ConsumerGroupHeartbeatResponseData;
    ConsumerGroupDescribe: ConsumerGroupDescribeRequestData, ConsumerGroupDescribeResponseData;
    ControllerRegistration: ControllerRegistrationRequestData, ControllerRegistrationResponseData;
    GetTelemetrySubscriptions: GetTelemetrySubscriptionsRequestData, GetTelemetrySubscriptionsResponseData;
    PushTelemetry: PushTelemetryRequestData, PushTelemetryResponseData;
    AssignReplicasToDirs: AssignReplicasToDirsRequestData, AssignReplicasToDirsResponseData;
    ListConfigResources: ListConfigResourcesRequestData, ListConfigResourcesResponseData;
    DescribeTopicPartitions: DescribeTopicPartitionsRequestData, DescribeTopicPartitionsResponseData;
    ShareGroupHeartbeat: ShareGroupHeartbeatRequestData, ShareGroupHeartbeatResponseData;
    ShareGroupDescribe: ShareGroupDescribeRequestData, ShareGroupDescribeResponseData;
    ShareFetch: ShareFetchRequestData, ShareFetchResponseData;
    ShareAcknowledge: ShareAcknowledgeRequestData, ShareAcknowledgeResponseData;
    AddRaftVoter: AddRaftVoterRequestData, AddRaftVoterResponseData;
    RemoveRaftVoter: RemoveRaftVoterRequestData, RemoveRaftVoterResponseData;
    UpdateRaftVoter: UpdateRaftVoterRequestData, UpdateRaftVoterResponseData;
    InitializeShareGroupState: InitializeShareGroupStateRequestData, InitializeShareGroupStateResponseData;
    ReadShareGroupState: ReadShareGroupStateRequestData, ReadShareGroupStateResponseData;
    WriteShareGroupState: WriteShareGroupStateRequestData, WriteShareGroupStateResponseData;
    DeleteShareGroupState: DeleteShareGroupStateRequestData, DeleteShareGroupStateResponseData;
    ReadShareGroupStateSummary: ReadShareGroupStateSummaryRequestData, ReadShareGroupStateSummaryResponseData;
    StreamsGroupHeartbeat: StreamsGroupHeartbeatRequestData, StreamsGroupHeartbeatResponseData;
    StreamsGroupDescribe: StreamsGroupDescribeRequestData, StreamsGroupDescribeResponseData;
    DescribeShareGroupOffsets: DescribeShareGroupOffsetsRequestData, DescribeShareGroupOffsetsResponseData;
    AlterShareGroupOffsets: AlterShareGroupOffsetsRequestData, AlterShareGroupOffsetsResponseData;
    DeleteShareGroupOffsets: DeleteShareGroupOffsetsRequestData, DeleteShareGroupOffsetsResponseData;
}

#[test]
fn arbitrary_bodies_of_every_version_mean_the_same_to_a_second_codec() {
    let mut compared = 0;
    for (api_key, direction, version) in every_version() {
        for seed in 0..24 {
            let body = body(api_key, direction, version, &mut Random(seed));
            let Some(again) = through_codec(api_key, direction, version, &body) else {
                continue;
            };
            assert_eq!(again, Ok(body), "{api_key} {direction:?} v{version}");
            compared += 1;
        }
    }
    assert!(compared > 14_000, "compared only {compared}");
}

#[test]
fn bodies_of_defaults_are_those_of_a_second_codec() {
    let mut compared = 0;
    for (api_key, direction, version) in every_version() {
        let body = Draft::new(api_key, direction, version).unwrap().encode();
        let Some(again) = through_codec(api_key, direction, version, &body) else {
            continue;
        };
        assert_eq!(again, Ok(body), "{api_key} {direction:?} v{version}");
        compared += 1;
    }
    assert!(compared > 600, "compared only {compared}");
}
