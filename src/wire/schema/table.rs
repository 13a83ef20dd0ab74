//! Kafka's requests and answers: written by `testkit/schemas` from the schemas in Kafka's jars. Do not edit it;
//! `UPDATE_TABLES=1 cargo test --test kafka schema` writes it again.

use super::row::{FieldType::*, MessageRow, StructRow, field as f, message as m, structure as s};
use super::{Direction::*, row::NameMark::*};

/// Every message by API, direction and version: number, direction, name, versions, first flexible version, layout.
pub(super) static MESSAGES: &[MessageRow] = &[
    m(0, Request, "Produce", 0, 2, 9, &PRODUCE_REQUEST_0),
    m(0, Request, "Produce", 3, 13, 9, &PRODUCE_REQUEST_3),
    m(0, Response, "Produce", 0, 2, 9, &PRODUCE_RESPONSE_0),
    m(0, Response, "Produce", 3, 13, 9, &PRODUCE_RESPONSE_3),
    m(1, Request, "Fetch", 0, 3, 12, &FETCH_REQUEST_0),
    m(1, Request, "Fetch", 4, 18, 12, &FETCH_REQUEST_4),
    m(1, Response, "Fetch", 0, 3, 12, &FETCH_RESPONSE_0),
    m(1, Response, "Fetch", 4, 18, 12, &FETCH_RESPONSE_4),
    m(2, Request, "ListOffsets", 0, 0, 6, &LIST_OFFSETS_REQUEST_0),
    m(2, Request, "ListOffsets", 1, 11, 6, &LIST_OFFSETS_REQUEST_1),
    m(2, Response, "ListOffsets", 0, 0, 6, &LIST_OFFSETS_RESPONSE_0),
    m(2, Response, "ListOffsets", 1, 11, 6, &LIST_OFFSETS_RESPONSE_1),
    m(3, Request, "Metadata", 0, 13, 9, &METADATA_REQUEST_0),
    m(3, Response, "Metadata", 0, 13, 9, &METADATA_RESPONSE_0),
    m(8, Request, "OffsetCommit", 0, 1, 8, &OFFSET_COMMIT_REQUEST_0),
    m(8, Request, "OffsetCommit", 2, 10, 8, &OFFSET_COMMIT_REQUEST_2),
    m(8, Response, "OffsetCommit", 0, 1, 8, &OFFSET_COMMIT_RESPONSE_0),
    m(8, Response, "OffsetCommit", 2, 10, 8, &OFFSET_COMMIT_RESPONSE_2),
    m(9, Request, "OffsetFetch", 0, 0, 6, &OFFSET_FETCH_REQUEST_0),
    m(9, Request, "OffsetFetch", 1, 10, 6, &OFFSET_FETCH_REQUEST_1),
    m(9, Response, "OffsetFetch", 0, 0, 6, &OFFSET_FETCH_RESPONSE_0),
    m(9, Response, "OffsetFetch", 1, 10, 6, &OFFSET_FETCH_RESPONSE_1),
    m(10, Request, "FindCoordinator", 0, 6, 3, &FIND_COORDINATOR_REQUEST_0),
    m(10, Response, "FindCoordinator", 0, 6, 3, &FIND_COORDINATOR_RESPONSE_0),
    m(11, Request, "JoinGroup", 0, 9, 6, &JOIN_GROUP_REQUEST_0),
    m(11, Response, "JoinGroup", 0, 9, 6, &JOIN_GROUP_RESPONSE_0),
    m(12, Request, "Heartbeat", 0, 4, 4, &HEARTBEAT_REQUEST_0),
    m(12, Response, "Heartbeat", 0, 4, 4, &HEARTBEAT_RESPONSE_0),
    m(13, Request, "LeaveGroup", 0, 5, 4, &LEAVE_GROUP_REQUEST_0),
    m(13, Response, "LeaveGroup", 0, 5, 4, &LEAVE_GROUP_RESPONSE_0),
    m(14, Request, "SyncGroup", 0, 5, 4, &SYNC_GROUP_REQUEST_0),
    m(14, Response, "SyncGroup", 0, 5, 4, &SYNC_GROUP_RESPONSE_0),
    m(15, Request, "DescribeGroups", 0, 6, 5, &DESCRIBE_GROUPS_REQUEST_0),
    m(15, Response, "DescribeGroups", 0, 6, 5, &DESCRIBE_GROUPS_RESPONSE_0),
    m(16, Request, "ListGroups", 0, 5, 3, &LIST_GROUPS_REQUEST_0),
    m(16, Response, "ListGroups", 0, 5, 3, &LIST_GROUPS_RESPONSE_0),
    m(17, Request, "SaslHandshake", 0, 1, 255, &SASL_HANDSHAKE_REQUEST_0),
    m(17, Response, "SaslHandshake", 0, 1, 255, &SASL_HANDSHAKE_RESPONSE_0),
    m(18, Request, "ApiVersions", 0, 5, 3, &API_VERSIONS_REQUEST_0),
    m(18, Response, "ApiVersions", 0, 5, 3, &API_VERSIONS_RESPONSE_0),
    m(19, Request, "CreateTopics", 0, 1, 5, &CREATE_TOPICS_REQUEST_0),
    m(19, Request, "CreateTopics", 2, 7, 5, &CREATE_TOPICS_REQUEST_2),
    m(19, Response, "CreateTopics", 0, 1, 5, &CREATE_TOPICS_RESPONSE_0),
    m(19, Response, "CreateTopics", 2, 7, 5, &CREATE_TOPICS_RESPONSE_2),
    m(20, Request, "DeleteTopics", 0, 0, 4, &DELETE_TOPICS_REQUEST_0),
    m(20, Request, "DeleteTopics", 1, 6, 4, &DELETE_TOPICS_REQUEST_1),
    m(20, Response, "DeleteTopics", 0, 0, 4, &DELETE_TOPICS_RESPONSE_0),
    m(20, Response, "DeleteTopics", 1, 6, 4, &DELETE_TOPICS_RESPONSE_1),
    m(21, Request, "DeleteRecords", 0, 2, 2, &DELETE_RECORDS_REQUEST_0),
    m(21, Response, "DeleteRecords", 0, 2, 2, &DELETE_RECORDS_RESPONSE_0),
    m(22, Request, "InitProducerId", 0, 6, 2, &INIT_PRODUCER_ID_REQUEST_0),
    m(22, Response, "InitProducerId", 0, 6, 2, &INIT_PRODUCER_ID_RESPONSE_0),
    m(23, Request, "OffsetForLeaderEpoch", 0, 1, 4, &OFFSET_FOR_LEADER_EPOCH_REQUEST_0),
    m(23, Request, "OffsetForLeaderEpoch", 2, 4, 4, &OFFSET_FOR_LEADER_EPOCH_REQUEST_2),
    m(23, Response, "OffsetForLeaderEpoch", 0, 1, 4, &OFFSET_FOR_LEADER_EPOCH_RESPONSE_0),
    m(23, Response, "OffsetForLeaderEpoch", 2, 4, 4, &OFFSET_FOR_LEADER_EPOCH_RESPONSE_2),
    m(24, Request, "AddPartitionsToTxn", 0, 5, 3, &ADD_PARTITIONS_TO_TXN_REQUEST_0),
    m(24, Response, "AddPartitionsToTxn", 0, 5, 3, &ADD_PARTITIONS_TO_TXN_RESPONSE_0),
    m(25, Request, "AddOffsetsToTxn", 0, 4, 3, &ADD_OFFSETS_TO_TXN_REQUEST_0),
    m(25, Response, "AddOffsetsToTxn", 0, 4, 3, &ADD_OFFSETS_TO_TXN_RESPONSE_0),
    m(26, Request, "EndTxn", 0, 5, 3, &END_TXN_REQUEST_0),
    m(26, Response, "EndTxn", 0, 5, 3, &END_TXN_RESPONSE_0),
    m(27, Request, "WriteTxnMarkers", 0, 0, 1, &WRITE_TXN_MARKERS_REQUEST_0),
    m(27, Request, "WriteTxnMarkers", 1, 2, 1, &WRITE_TXN_MARKERS_REQUEST_1),
    m(27, Response, "WriteTxnMarkers", 0, 0, 1, &WRITE_TXN_MARKERS_RESPONSE_0),
    m(27, Response, "WriteTxnMarkers", 1, 2, 1, &WRITE_TXN_MARKERS_RESPONSE_1),
    m(28, Request, "TxnOffsetCommit", 0, 6, 3, &TXN_OFFSET_COMMIT_REQUEST_0),
    m(28, Response, "TxnOffsetCommit", 0, 6, 3, &TXN_OFFSET_COMMIT_RESPONSE_0),
    m(29, Request, "DescribeAcls", 0, 0, 2, &DESCRIBE_ACLS_REQUEST_0),
    m(29, Request, "DescribeAcls", 1, 3, 2, &DESCRIBE_ACLS_REQUEST_1),
    m(29, Response, "DescribeAcls", 0, 0, 2, &DESCRIBE_ACLS_RESPONSE_0),
    m(29, Response, "DescribeAcls", 1, 3, 2, &DESCRIBE_ACLS_RESPONSE_1),
    m(30, Request, "CreateAcls", 0, 0, 2, &CREATE_ACLS_REQUEST_0),
    m(30, Request, "CreateAcls", 1, 3, 2, &CREATE_ACLS_REQUEST_1),
    m(30, Response, "CreateAcls", 0, 0, 2, &CREATE_ACLS_RESPONSE_0),
    m(30, Response, "CreateAcls", 1, 3, 2, &CREATE_ACLS_RESPONSE_1),
    m(31, Request, "DeleteAcls", 0, 0, 2, &DELETE_ACLS_REQUEST_0),
    m(31, Request, "DeleteAcls", 1, 3, 2, &DELETE_ACLS_REQUEST_1),
    m(31, Response, "DeleteAcls", 0, 0, 2, &DELETE_ACLS_RESPONSE_0),
    m(31, Response, "DeleteAcls", 1, 3, 2, &DELETE_ACLS_RESPONSE_1),
    m(32, Request, "DescribeConfigs", 0, 0, 4, &DESCRIBE_CONFIGS_REQUEST_0),
    m(32, Request, "DescribeConfigs", 1, 4, 4, &DESCRIBE_CONFIGS_REQUEST_1),
    m(32, Response, "DescribeConfigs", 0, 0, 4, &DESCRIBE_CONFIGS_RESPONSE_0),
    m(32, Response, "DescribeConfigs", 1, 4, 4, &DESCRIBE_CONFIGS_RESPONSE_1),
    m(33, Request, "AlterConfigs", 0, 2, 2, &ALTER_CONFIGS_REQUEST_0),
    m(33, Response, "AlterConfigs", 0, 2, 2, &ALTER_CONFIGS_RESPONSE_0),
    m(34, Request, "AlterReplicaLogDirs", 0, 0, 2, &ALTER_REPLICA_LOG_DIRS_REQUEST_0),
    m(34, Request, "AlterReplicaLogDirs", 1, 2, 2, &ALTER_REPLICA_LOG_DIRS_REQUEST_1),
    m(34, Response, "AlterReplicaLogDirs", 0, 0, 2, &ALTER_REPLICA_LOG_DIRS_RESPONSE_0),
    m(34, Response, "AlterReplicaLogDirs", 1, 2, 2, &ALTER_REPLICA_LOG_DIRS_RESPONSE_1),
    m(35, Request, "DescribeLogDirs", 0, 0, 2, &DESCRIBE_LOG_DIRS_REQUEST_0),
    m(35, Request, "DescribeLogDirs", 1, 5, 2, &DESCRIBE_LOG_DIRS_REQUEST_1),
    m(35, Response, "DescribeLogDirs", 0, 0, 2, &DESCRIBE_LOG_DIRS_RESPONSE_0),
    m(35, Response, "DescribeLogDirs", 1, 5, 2, &DESCRIBE_LOG_DIRS_RESPONSE_1),
    m(36, Request, "SaslAuthenticate", 0, 2, 2, &SASL_AUTHENTICATE_REQUEST_0),
    m(36, Response, "SaslAuthenticate", 0, 2, 2, &SASL_AUTHENTICATE_RESPONSE_0),
    m(37, Request, "CreatePartitions", 0, 3, 2, &CREATE_PARTITIONS_REQUEST_0),
    m(37, Response, "CreatePartitions", 0, 3, 2, &CREATE_PARTITIONS_RESPONSE_0),
    m(38, Request, "CreateDelegationToken", 0, 0, 2, &CREATE_DELEGATION_TOKEN_REQUEST_0),
    m(38, Request, "CreateDelegationToken", 1, 3, 2, &CREATE_DELEGATION_TOKEN_REQUEST_1),
    m(38, Response, "CreateDelegationToken", 0, 0, 2, &CREATE_DELEGATION_TOKEN_RESPONSE_0),
    m(38, Response, "CreateDelegationToken", 1, 3, 2, &CREATE_DELEGATION_TOKEN_RESPONSE_1),
    m(39, Request, "RenewDelegationToken", 0, 0, 2, &RENEW_DELEGATION_TOKEN_REQUEST_0),
    m(39, Request, "RenewDelegationToken", 1, 2, 2, &RENEW_DELEGATION_TOKEN_REQUEST_1),
    m(39, Response, "RenewDelegationToken", 0, 0, 2, &RENEW_DELEGATION_TOKEN_RESPONSE_0),
    m(39, Response, "RenewDelegationToken", 1, 2, 2, &RENEW_DELEGATION_TOKEN_RESPONSE_1),
    m(40, Request, "ExpireDelegationToken", 0, 0, 2, &EXPIRE_DELEGATION_TOKEN_REQUEST_0),
    m(40, Request, "ExpireDelegationToken", 1, 2, 2, &EXPIRE_DELEGATION_TOKEN_REQUEST_1),
    m(40, Response, "ExpireDelegationToken", 0, 0, 2, &EXPIRE_DELEGATION_TOKEN_RESPONSE_0),
    m(40, Response, "ExpireDelegationToken", 1, 2, 2, &EXPIRE_DELEGATION_TOKEN_RESPONSE_1),
    m(41, Request, "DescribeDelegationToken", 0, 0, 2, &DESCRIBE_DELEGATION_TOKEN_REQUEST_0),
    m(41, Request, "DescribeDelegationToken", 1, 3, 2, &DESCRIBE_DELEGATION_TOKEN_REQUEST_1),
    m(41, Response, "DescribeDelegationToken", 0, 0, 2, &DESCRIBE_DELEGATION_TOKEN_RESPONSE_0),
    m(41, Response, "DescribeDelegationToken", 1, 3, 2, &DESCRIBE_DELEGATION_TOKEN_RESPONSE_1),
    m(42, Request, "DeleteGroups", 0, 3, 2, &DELETE_GROUPS_REQUEST_0),
    m(42, Response, "DeleteGroups", 0, 3, 2, &DELETE_GROUPS_RESPONSE_0),
    m(43, Request, "ElectLeaders", 0, 2, 2, &ELECT_LEADERS_REQUEST_0),
    m(43, Response, "ElectLeaders", 0, 2, 2, &ELECT_LEADERS_RESPONSE_0),
    m(44, Request, "IncrementalAlterConfigs", 0, 1, 1, &INCREMENTAL_ALTER_CONFIGS_REQUEST_0),
    m(44, Response, "IncrementalAlterConfigs", 0, 1, 1, &INCREMENTAL_ALTER_CONFIGS_RESPONSE_0),
    m(45, Request, "AlterPartitionReassignments", 0, 1, 0, &ALTER_PARTITION_REASSIGNMENTS_REQUEST_0),
    m(45, Response, "AlterPartitionReassignments", 0, 1, 0, &ALTER_PARTITION_REASSIGNMENTS_RESPONSE_0),
    m(46, Request, "ListPartitionReassignments", 0, 0, 0, &LIST_PARTITION_REASSIGNMENTS_REQUEST_0),
    m(46, Response, "ListPartitionReassignments", 0, 0, 0, &LIST_PARTITION_REASSIGNMENTS_RESPONSE_0),
    m(47, Request, "OffsetDelete", 0, 0, 255, &OFFSET_DELETE_REQUEST_0),
    m(47, Response, "OffsetDelete", 0, 0, 255, &OFFSET_DELETE_RESPONSE_0),
    m(48, Request, "DescribeClientQuotas", 0, 1, 1, &DESCRIBE_CLIENT_QUOTAS_REQUEST_0),
    m(48, Response, "DescribeClientQuotas", 0, 1, 1, &DESCRIBE_CLIENT_QUOTAS_RESPONSE_0),
    m(49, Request, "AlterClientQuotas", 0, 1, 1, &ALTER_CLIENT_QUOTAS_REQUEST_0),
    m(49, Response, "AlterClientQuotas", 0, 1, 1, &ALTER_CLIENT_QUOTAS_RESPONSE_0),
    m(50, Request, "DescribeUserScramCredentials", 0, 0, 0, &DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_0),
    m(50, Response, "DescribeUserScramCredentials", 0, 0, 0, &DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_0),
    m(51, Request, "AlterUserScramCredentials", 0, 0, 0, &ALTER_USER_SCRAM_CREDENTIALS_REQUEST_0),
    m(51, Response, "AlterUserScramCredentials", 0, 0, 0, &ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_0),
    m(52, Request, "Vote", 0, 2, 0, &VOTE_REQUEST_0),
    m(52, Response, "Vote", 0, 2, 0, &VOTE_RESPONSE_0),
    m(53, Request, "BeginQuorumEpoch", 0, 1, 1, &BEGIN_QUORUM_EPOCH_REQUEST_0),
    m(53, Response, "BeginQuorumEpoch", 0, 1, 1, &BEGIN_QUORUM_EPOCH_RESPONSE_0),
    m(54, Request, "EndQuorumEpoch", 0, 1, 1, &END_QUORUM_EPOCH_REQUEST_0),
    m(54, Response, "EndQuorumEpoch", 0, 1, 1, &END_QUORUM_EPOCH_RESPONSE_0),
    m(55, Request, "DescribeQuorum", 0, 2, 0, &DESCRIBE_QUORUM_REQUEST_0),
    m(55, Response, "DescribeQuorum", 0, 2, 0, &DESCRIBE_QUORUM_RESPONSE_0),
    m(56, Request, "AlterPartition", 0, 1, 0, &ALTER_PARTITION_REQUEST_0),
    m(56, Request, "AlterPartition", 2, 3, 0, &ALTER_PARTITION_REQUEST_2),
    m(56, Response, "AlterPartition", 0, 1, 0, &ALTER_PARTITION_RESPONSE_0),
    m(56, Response, "AlterPartition", 2, 3, 0, &ALTER_PARTITION_RESPONSE_2),
    m(57, Request, "UpdateFeatures", 0, 2, 0, &UPDATE_FEATURES_REQUEST_0),
    m(57, Response, "UpdateFeatures", 0, 2, 0, &UPDATE_FEATURES_RESPONSE_0),
    m(58, Request, "Envelope", 0, 0, 0, &ENVELOPE_REQUEST_0),
    m(58, Response, "Envelope", 0, 0, 0, &ENVELOPE_RESPONSE_0),
    m(59, Request, "FetchSnapshot", 0, 1, 0, &FETCH_SNAPSHOT_REQUEST_0),
    m(59, Response, "FetchSnapshot", 0, 1, 0, &FETCH_SNAPSHOT_RESPONSE_0),
    m(60, Request, "DescribeCluster", 0, 2, 0, &DESCRIBE_CLUSTER_REQUEST_0),
    m(60, Response, "DescribeCluster", 0, 2, 0, &DESCRIBE_CLUSTER_RESPONSE_0),
    m(61, Request, "DescribeProducers", 0, 0, 0, &DESCRIBE_PRODUCERS_REQUEST_0),
    m(61, Response, "DescribeProducers", 0, 0, 0, &DESCRIBE_PRODUCERS_RESPONSE_0),
    m(62, Request, "BrokerRegistration", 0, 4, 0, &BROKER_REGISTRATION_REQUEST_0),
    m(62, Response, "BrokerRegistration", 0, 4, 0, &BROKER_REGISTRATION_RESPONSE_0),
    m(63, Request, "BrokerHeartbeat", 0, 2, 0, &BROKER_HEARTBEAT_REQUEST_0),
    m(63, Response, "BrokerHeartbeat", 0, 2, 0, &BROKER_HEARTBEAT_RESPONSE_0),
    m(64, Request, "UnregisterBroker", 0, 0, 0, &UNREGISTER_BROKER_REQUEST_0),
    m(64, Response, "UnregisterBroker", 0, 0, 0, &UNREGISTER_BROKER_RESPONSE_0),
    m(65, Request, "DescribeTransactions", 0, 0, 0, &DESCRIBE_TRANSACTIONS_REQUEST_0),
    m(65, Response, "DescribeTransactions", 0, 0, 0, &DESCRIBE_TRANSACTIONS_RESPONSE_0),
    m(66, Request, "ListTransactions", 0, 2, 0, &LIST_TRANSACTIONS_REQUEST_0),
    m(66, Response, "ListTransactions", 0, 2, 0, &LIST_TRANSACTIONS_RESPONSE_0),
    m(67, Request, "AllocateProducerIds", 0, 0, 0, &ALLOCATE_PRODUCER_IDS_REQUEST_0),
    m(67, Response, "AllocateProducerIds", 0, 0, 0, &ALLOCATE_PRODUCER_IDS_RESPONSE_0),
    m(68, Request, "ConsumerGroupHeartbeat", 0, 1, 0, &CONSUMER_GROUP_HEARTBEAT_REQUEST_0),
    m(68, Response, "ConsumerGroupHeartbeat", 0, 1, 0, &CONSUMER_GROUP_HEARTBEAT_RESPONSE_0),
    m(69, Request, "ConsumerGroupDescribe", 0, 1, 0, &CONSUMER_GROUP_DESCRIBE_REQUEST_0),
    m(69, Response, "ConsumerGroupDescribe", 0, 1, 0, &CONSUMER_GROUP_DESCRIBE_RESPONSE_0),
    m(70, Request, "ControllerRegistration", 0, 0, 0, &CONTROLLER_REGISTRATION_REQUEST_0),
    m(70, Response, "ControllerRegistration", 0, 0, 0, &CONTROLLER_REGISTRATION_RESPONSE_0),
    m(71, Request, "GetTelemetrySubscriptions", 0, 0, 0, &GET_TELEMETRY_SUBSCRIPTIONS_REQUEST_0),
    m(71, Response, "GetTelemetrySubscriptions", 0, 0, 0, &GET_TELEMETRY_SUBSCRIPTIONS_RESPONSE_0),
    m(72, Request, "PushTelemetry", 0, 0, 0, &PUSH_TELEMETRY_REQUEST_0),
    m(72, Response, "PushTelemetry", 0, 0, 0, &PUSH_TELEMETRY_RESPONSE_0),
    m(73, Request, "AssignReplicasToDirs", 0, 0, 0, &ASSIGN_REPLICAS_TO_DIRS_REQUEST_0),
    m(73, Response, "AssignReplicasToDirs", 0, 0, 0, &ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0),
    m(74, Request, "ListConfigResources", 0, 1, 0, &LIST_CONFIG_RESOURCES_REQUEST_0),
    m(74, Response, "ListConfigResources", 0, 1, 0, &LIST_CONFIG_RESOURCES_RESPONSE_0),
    m(75, Request, "DescribeTopicPartitions", 0, 0, 0, &DESCRIBE_TOPIC_PARTITIONS_REQUEST_0),
    m(75, Response, "DescribeTopicPartitions", 0, 0, 0, &DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0),
    m(76, Request, "ShareGroupHeartbeat", 0, 0, 0, &SHARE_GROUP_HEARTBEAT_REQUEST_0),
    m(76, Request, "ShareGroupHeartbeat", 1, 1, 0, &SHARE_GROUP_HEARTBEAT_REQUEST_1),
    m(76, Response, "ShareGroupHeartbeat", 0, 0, 0, &SHARE_GROUP_HEARTBEAT_RESPONSE_0),
    m(76, Response, "ShareGroupHeartbeat", 1, 1, 0, &SHARE_GROUP_HEARTBEAT_RESPONSE_1),
    m(77, Request, "ShareGroupDescribe", 0, 0, 0, &SHARE_GROUP_DESCRIBE_REQUEST_0),
    m(77, Request, "ShareGroupDescribe", 1, 1, 0, &SHARE_GROUP_DESCRIBE_REQUEST_1),
    m(77, Response, "ShareGroupDescribe", 0, 0, 0, &SHARE_GROUP_DESCRIBE_RESPONSE_0),
    m(77, Response, "ShareGroupDescribe", 1, 1, 0, &SHARE_GROUP_DESCRIBE_RESPONSE_1),
    m(78, Request, "ShareFetch", 0, 0, 0, &SHARE_FETCH_REQUEST_0),
    m(78, Request, "ShareFetch", 1, 2, 0, &SHARE_FETCH_REQUEST_1),
    m(78, Response, "ShareFetch", 0, 0, 0, &SHARE_FETCH_RESPONSE_0),
    m(78, Response, "ShareFetch", 1, 2, 0, &SHARE_FETCH_RESPONSE_1),
    m(79, Request, "ShareAcknowledge", 0, 0, 0, &SHARE_ACKNOWLEDGE_REQUEST_0),
    m(79, Request, "ShareAcknowledge", 1, 2, 0, &SHARE_ACKNOWLEDGE_REQUEST_1),
    m(79, Response, "ShareAcknowledge", 0, 0, 0, &SHARE_ACKNOWLEDGE_RESPONSE_0),
    m(79, Response, "ShareAcknowledge", 1, 2, 0, &SHARE_ACKNOWLEDGE_RESPONSE_1),
    m(80, Request, "AddRaftVoter", 0, 1, 0, &ADD_RAFT_VOTER_REQUEST_0),
    m(80, Response, "AddRaftVoter", 0, 1, 0, &ADD_RAFT_VOTER_RESPONSE_0),
    m(81, Request, "RemoveRaftVoter", 0, 0, 0, &REMOVE_RAFT_VOTER_REQUEST_0),
    m(81, Response, "RemoveRaftVoter", 0, 0, 0, &REMOVE_RAFT_VOTER_RESPONSE_0),
    m(82, Request, "UpdateRaftVoter", 0, 0, 0, &UPDATE_RAFT_VOTER_REQUEST_0),
    m(82, Response, "UpdateRaftVoter", 0, 0, 0, &UPDATE_RAFT_VOTER_RESPONSE_0),
    m(83, Request, "InitializeShareGroupState", 0, 0, 0, &INITIALIZE_SHARE_GROUP_STATE_REQUEST_0),
    m(83, Response, "InitializeShareGroupState", 0, 0, 0, &INITIALIZE_SHARE_GROUP_STATE_RESPONSE_0),
    m(84, Request, "ReadShareGroupState", 0, 0, 0, &READ_SHARE_GROUP_STATE_REQUEST_0),
    m(84, Response, "ReadShareGroupState", 0, 0, 0, &READ_SHARE_GROUP_STATE_RESPONSE_0),
    m(85, Request, "WriteShareGroupState", 0, 1, 0, &WRITE_SHARE_GROUP_STATE_REQUEST_0),
    m(85, Response, "WriteShareGroupState", 0, 1, 0, &WRITE_SHARE_GROUP_STATE_RESPONSE_0),
    m(86, Request, "DeleteShareGroupState", 0, 0, 0, &DELETE_SHARE_GROUP_STATE_REQUEST_0),
    m(86, Response, "DeleteShareGroupState", 0, 0, 0, &DELETE_SHARE_GROUP_STATE_RESPONSE_0),
    m(87, Request, "ReadShareGroupStateSummary", 0, 1, 0, &READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_0),
    m(87, Response, "ReadShareGroupStateSummary", 0, 1, 0, &READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_0),
    m(88, Request, "StreamsGroupHeartbeat", 0, 1, 0, &STREAMS_GROUP_HEARTBEAT_REQUEST_0),
    m(88, Response, "StreamsGroupHeartbeat", 0, 1, 0, &STREAMS_GROUP_HEARTBEAT_RESPONSE_0),
    m(89, Request, "StreamsGroupDescribe", 0, 1, 0, &STREAMS_GROUP_DESCRIBE_REQUEST_0),
    m(89, Response, "StreamsGroupDescribe", 0, 1, 0, &STREAMS_GROUP_DESCRIBE_RESPONSE_0),
    m(90, Request, "DescribeShareGroupOffsets", 0, 1, 0, &DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_0),
    m(90, Response, "DescribeShareGroupOffsets", 0, 1, 0, &DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0),
    m(91, Request, "AlterShareGroupOffsets", 0, 0, 0, &ALTER_SHARE_GROUP_OFFSETS_REQUEST_0),
    m(91, Response, "AlterShareGroupOffsets", 0, 0, 0, &ALTER_SHARE_GROUP_OFFSETS_RESPONSE_0),
    m(92, Request, "DeleteShareGroupOffsets", 0, 0, 0, &DELETE_SHARE_GROUP_OFFSETS_REQUEST_0),
    m(92, Response, "DeleteShareGroupOffsets", 0, 0, 0, &DELETE_SHARE_GROUP_OFFSETS_RESPONSE_0),
    m(93, Request, "StreamsGroupTopologyDescriptionUpdate", 0, 0, 0, &STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0),
    m(93, Response, "StreamsGroupTopologyDescriptionUpdate", 0, 0, 0, &STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_RESPONSE_0),
    m(94, Request, "UnregisterController", 0, 0, 0, &UNREGISTER_CONTROLLER_REQUEST_0),
    m(94, Response, "UnregisterController", 0, 0, 0, &UNREGISTER_CONTROLLER_RESPONSE_0),
];

static PRODUCE_REQUEST_0_PARTITION_PRODUCE_DATA: StructRow = s(false, 64, &[(0, 8)], &[
    f("index", I32, 0, 255),
    f("records", Bytes, 0, 255).nullable(0, 255),
], &[]);
static PRODUCE_REQUEST_0_TOPIC_PRODUCE_DATA: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partition_data", Struct(&PRODUCE_REQUEST_0_PARTITION_PRODUCE_DATA), 0, 255).array(),
], &[]);
static PRODUCE_REQUEST_0: StructRow = s(true, 56, &[(0, 10)], &[
    f("acks", I16, 0, 255),
    f("timeout_ms", I32, 0, 255),
    f("topic_data", Struct(&PRODUCE_REQUEST_0_TOPIC_PRODUCE_DATA), 0, 255).array(),
], &[]);
static PRODUCE_REQUEST_3_PARTITION_PRODUCE_DATA: StructRow = s(false, 64, &[(3, 8), (9, 6)], &[
    f("index", I32, 0, 255),
    f("records", Bytes, 0, 255).nullable(0, 255),
], &[]);
static PRODUCE_REQUEST_3_TOPIC_PRODUCE_DATA: StructRow = s(true, 96, &[(3, 6), (9, 3), (13, 18)], &[
    f("name", Text, 0, 12).mark(TopicName),
    f("topic_id", Uuid, 13, 255).mark(TopicId),
    f("partition_data", Struct(&PRODUCE_REQUEST_3_PARTITION_PRODUCE_DATA), 0, 255).array(),
], &[]);
static PRODUCE_REQUEST_3: StructRow = s(true, 88, &[(3, 12), (9, 9)], &[
    f("transactional_id", Text, 3, 255).nullable(3, 255).mark(TransactionalId).default_null(),
    f("acks", I16, 0, 255),
    f("timeout_ms", I32, 0, 255),
    f("topic_data", Struct(&PRODUCE_REQUEST_3_TOPIC_PRODUCE_DATA), 0, 255).array(),
], &[]);
static PRODUCE_RESPONSE_0_PARTITION_PRODUCE_RESPONSE: StructRow = s(false, 48, &[(0, 14), (2, 22)], &[
    f("index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("base_offset", I64, 0, 255),
    f("log_append_time_ms", I64, 2, 255).default(-1),
], &[]);
static PRODUCE_RESPONSE_0_TOPIC_PRODUCE_RESPONSE: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partition_responses", Struct(&PRODUCE_RESPONSE_0_PARTITION_PRODUCE_RESPONSE), 0, 255).array(),
], &[]);
static PRODUCE_RESPONSE_0: StructRow = s(true, 56, &[(0, 4), (1, 8)], &[
    f("responses", Struct(&PRODUCE_RESPONSE_0_TOPIC_PRODUCE_RESPONSE), 0, 255).array(),
    f("throttle_time_ms", I32, 1, 255),
], &[]);
static PRODUCE_RESPONSE_3_BATCH_INDEX_AND_ERROR_MESSAGE: StructRow = s(false, 64, &[(3, 1), (8, 6)], &[
    f("batch_index", I32, 8, 255),
    f("batch_index_error_message", Text, 8, 255).nullable(8, 255).default_null(),
], &[]);
static PRODUCE_RESPONSE_3_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(3, 1), (9, 1), (10, 9)], &[
    f("leader_id", I32, 10, 255).default(-1),
    f("leader_epoch", I32, 10, 255).default(-1),
], &[]);
static PRODUCE_RESPONSE_3_PARTITION_PRODUCE_RESPONSE: StructRow = s(false, 144, &[(3, 22), (5, 30), (8, 36), (9, 33)], &[
    f("index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("base_offset", I64, 0, 255),
    f("log_append_time_ms", I64, 2, 255).default(-1),
    f("log_start_offset", I64, 5, 255).default(-1),
    f("record_errors", Struct(&PRODUCE_RESPONSE_3_BATCH_INDEX_AND_ERROR_MESSAGE), 8, 255).array(),
    f("error_message", Text, 8, 255).nullable(8, 255).default_null(),
], &[
    f("current_leader", Struct(&PRODUCE_RESPONSE_3_LEADER_ID_AND_EPOCH), 10, 255).tagged(0),
]);
static PRODUCE_RESPONSE_3_TOPIC_PRODUCE_RESPONSE: StructRow = s(true, 96, &[(3, 6), (9, 3), (13, 18)], &[
    f("name", Text, 0, 12).mark(TopicName),
    f("topic_id", Uuid, 13, 255).mark(TopicId),
    f("partition_responses", Struct(&PRODUCE_RESPONSE_3_PARTITION_PRODUCE_RESPONSE), 0, 255).array(),
], &[]);
static PRODUCE_RESPONSE_3_NODE_ENDPOINT: StructRow = s(false, 96, &[(3, 1), (9, 1), (10, 11)], &[
    f("node_id", I32, 10, 255),
    f("host", Text, 10, 255),
    f("port", I32, 10, 255),
    f("rack", Text, 10, 255).nullable(10, 255).default_null(),
], &[]);
static PRODUCE_RESPONSE_3: StructRow = s(true, 80, &[(3, 8), (9, 6)], &[
    f("responses", Struct(&PRODUCE_RESPONSE_3_TOPIC_PRODUCE_RESPONSE), 0, 255).array(),
    f("throttle_time_ms", I32, 1, 255),
], &[
    f("node_endpoints", Struct(&PRODUCE_RESPONSE_3_NODE_ENDPOINT), 10, 255).array().tagged(0),
]);
static FETCH_REQUEST_0_FETCH_PARTITION: StructRow = s(false, 40, &[(0, 16)], &[
    f("partition", I32, 0, 255),
    f("fetch_offset", I64, 0, 255),
    f("partition_max_bytes", I32, 0, 255),
], &[]);
static FETCH_REQUEST_0_FETCH_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("topic", Text, 0, 12).mark(TopicName),
    f("partitions", Struct(&FETCH_REQUEST_0_FETCH_PARTITION), 0, 255).array(),
], &[]);
static FETCH_REQUEST_0: StructRow = s(true, 64, &[(0, 16), (3, 20)], &[
    f("replica_id", I32, 0, 14).default(-1),
    f("max_wait_ms", I32, 0, 255),
    f("min_bytes", I32, 0, 255),
    f("max_bytes", I32, 3, 255).default(2147483647),
    f("topics", Struct(&FETCH_REQUEST_0_FETCH_TOPIC), 0, 255).array(),
], &[]);
static FETCH_REQUEST_4_REPLICA_STATE: StructRow = s(false, 40, &[(4, 1), (12, 1), (15, 13)], &[
    f("replica_id", I32, 15, 255).default(-1),
    f("replica_epoch", I64, 15, 255).default(-1),
], &[]);
static FETCH_REQUEST_4_FETCH_PARTITION: StructRow = s(false, 80, &[(4, 16), (5, 24), (9, 28), (12, 33)], &[
    f("partition", I32, 0, 255),
    f("current_leader_epoch", I32, 9, 255).default(-1),
    f("fetch_offset", I64, 0, 255),
    f("last_fetched_epoch", I32, 12, 255).default(-1),
    f("log_start_offset", I64, 5, 255).default(-1),
    f("partition_max_bytes", I32, 0, 255),
], &[
    f("replica_directory_id", Uuid, 17, 255).tagged(0),
    f("high_watermark", I64, 18, 255).tagged(1).default(9223372036854775807),
]);
static FETCH_REQUEST_4_FETCH_TOPIC: StructRow = s(true, 96, &[(4, 6), (12, 3), (13, 18)], &[
    f("topic", Text, 0, 12).mark(TopicName),
    f("topic_id", Uuid, 13, 255).mark(TopicId),
    f("partitions", Struct(&FETCH_REQUEST_4_FETCH_PARTITION), 0, 255).array(),
], &[]);
static FETCH_REQUEST_4_FORGOTTEN_TOPIC: StructRow = s(true, 96, &[(4, 1), (7, 6), (12, 3), (13, 18)], &[
    f("topic", Text, 7, 12).mark(TopicName),
    f("topic_id", Uuid, 13, 255).mark(TopicId),
    f("partitions", I32, 7, 255).array(),
], &[]);
static FETCH_REQUEST_4: StructRow = s(true, 200, &[(4, 21), (7, 33), (11, 35), (12, 29), (15, 25)], &[
    f("replica_id", I32, 0, 14).default(-1),
    f("max_wait_ms", I32, 0, 255),
    f("min_bytes", I32, 0, 255),
    f("max_bytes", I32, 3, 255).default(2147483647),
    f("isolation_level", I8, 4, 255),
    f("session_id", I32, 7, 255),
    f("session_epoch", I32, 7, 255).default(-1),
    f("topics", Struct(&FETCH_REQUEST_4_FETCH_TOPIC), 0, 255).array(),
    f("forgotten_topics_data", Struct(&FETCH_REQUEST_4_FORGOTTEN_TOPIC), 7, 255).array(),
    f("rack_id", Text, 11, 255),
], &[
    f("cluster_id", Text, 12, 255).nullable(12, 255).tagged(0).default_null(),
    f("replica_state", Struct(&FETCH_REQUEST_4_REPLICA_STATE), 15, 255).tagged(1),
]);
static FETCH_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 72, &[(0, 18)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("high_watermark", I64, 0, 255),
    f("records", Bytes, 0, 255).nullable(0, 255),
], &[]);
static FETCH_RESPONSE_0_FETCHABLE_TOPIC_RESPONSE: StructRow = s(true, 80, &[(0, 6)], &[
    f("topic", Text, 0, 12).mark(TopicName),
    f("partitions", Struct(&FETCH_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static FETCH_RESPONSE_0: StructRow = s(true, 56, &[(0, 4), (1, 8)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("responses", Struct(&FETCH_RESPONSE_0_FETCHABLE_TOPIC_RESPONSE), 0, 255).array(),
], &[]);
static FETCH_RESPONSE_4_EPOCH_END_OFFSET: StructRow = s(false, 40, &[(4, 1), (12, 13)], &[
    f("epoch", I32, 12, 255).default(-1),
    f("end_offset", I64, 12, 255).default(-1),
], &[]);
static FETCH_RESPONSE_4_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(4, 1), (12, 9)], &[
    f("leader_id", I32, 12, 255).default(-1),
    f("leader_epoch", I32, 12, 255).default(-1),
], &[]);
static FETCH_RESPONSE_4_SNAPSHOT_ID: StructRow = s(false, 40, &[(4, 12), (12, 13)], &[
    f("end_offset", I64, 0, 255).default(-1),
    f("epoch", I32, 0, 255).default(-1),
], &[]);
static FETCH_RESPONSE_4_ABORTED_TRANSACTION: StructRow = s(false, 40, &[(4, 16), (12, 17)], &[
    f("producer_id", I64, 4, 255),
    f("first_offset", I64, 4, 255),
], &[]);
static FETCH_RESPONSE_4_PARTITION_DATA: StructRow = s(false, 224, &[(4, 30), (5, 38), (11, 42), (12, 37)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("high_watermark", I64, 0, 255),
    f("last_stable_offset", I64, 4, 255).default(-1),
    f("log_start_offset", I64, 5, 255).default(-1),
    f("aborted_transactions", Struct(&FETCH_RESPONSE_4_ABORTED_TRANSACTION), 4, 255).array().nullable(4, 255),
    f("preferred_read_replica", I32, 11, 255).default(-1),
    f("records", Bytes, 0, 255).nullable(0, 255),
], &[
    f("diverging_epoch", Struct(&FETCH_RESPONSE_4_EPOCH_END_OFFSET), 12, 255).tagged(0),
    f("current_leader", Struct(&FETCH_RESPONSE_4_LEADER_ID_AND_EPOCH), 12, 255).tagged(1),
    f("snapshot_id", Struct(&FETCH_RESPONSE_4_SNAPSHOT_ID), 12, 255).tagged(2),
]);
static FETCH_RESPONSE_4_FETCHABLE_TOPIC_RESPONSE: StructRow = s(true, 96, &[(4, 6), (12, 3), (13, 18)], &[
    f("topic", Text, 0, 12).mark(TopicName),
    f("topic_id", Uuid, 13, 255).mark(TopicId),
    f("partitions", Struct(&FETCH_RESPONSE_4_PARTITION_DATA), 0, 255).array(),
], &[]);
static FETCH_RESPONSE_4_NODE_ENDPOINT: StructRow = s(false, 96, &[(4, 1), (12, 1), (16, 11)], &[
    f("node_id", I32, 16, 255),
    f("host", Text, 16, 255),
    f("port", I32, 16, 255),
    f("rack", Text, 16, 255).nullable(16, 255).default_null(),
], &[]);
static FETCH_RESPONSE_4: StructRow = s(true, 88, &[(4, 8), (7, 14), (12, 12)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("error_code", I16, 7, 255),
    f("session_id", I32, 7, 255),
    f("responses", Struct(&FETCH_RESPONSE_4_FETCHABLE_TOPIC_RESPONSE), 0, 255).array(),
], &[
    f("node_endpoints", Struct(&FETCH_RESPONSE_4_NODE_ENDPOINT), 16, 255).array().tagged(0),
]);
static LIST_OFFSETS_REQUEST_0_LIST_OFFSETS_PARTITION: StructRow = s(false, 40, &[(0, 16)], &[
    f("partition_index", I32, 0, 255),
    f("timestamp", I64, 0, 255),
    f("max_num_offsets", I32, 0, 0).default(1),
], &[]);
static LIST_OFFSETS_REQUEST_0_LIST_OFFSETS_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&LIST_OFFSETS_REQUEST_0_LIST_OFFSETS_PARTITION), 0, 255).array(),
], &[]);
static LIST_OFFSETS_REQUEST_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("replica_id", I32, 0, 255),
    f("topics", Struct(&LIST_OFFSETS_REQUEST_0_LIST_OFFSETS_TOPIC), 0, 255).array(),
], &[]);
static LIST_OFFSETS_REQUEST_1_LIST_OFFSETS_PARTITION: StructRow = s(false, 40, &[(1, 12), (4, 16), (6, 17)], &[
    f("partition_index", I32, 0, 255),
    f("current_leader_epoch", I32, 4, 255).default(-1),
    f("timestamp", I64, 0, 255),
], &[]);
static LIST_OFFSETS_REQUEST_1_LIST_OFFSETS_TOPIC: StructRow = s(true, 80, &[(1, 6), (6, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&LIST_OFFSETS_REQUEST_1_LIST_OFFSETS_PARTITION), 0, 255).array(),
], &[]);
static LIST_OFFSETS_REQUEST_1: StructRow = s(true, 64, &[(1, 8), (2, 9), (6, 7), (10, 11)], &[
    f("replica_id", I32, 0, 255),
    f("isolation_level", I8, 2, 255),
    f("topics", Struct(&LIST_OFFSETS_REQUEST_1_LIST_OFFSETS_TOPIC), 0, 255).array(),
    f("timeout_ms", I32, 10, 255),
], &[]);
static LIST_OFFSETS_RESPONSE_0_LIST_OFFSETS_PARTITION_RESPONSE: StructRow = s(false, 56, &[(0, 10)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("old_style_offsets", I64, 0, 0).array(),
], &[]);
static LIST_OFFSETS_RESPONSE_0_LIST_OFFSETS_TOPIC_RESPONSE: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&LIST_OFFSETS_RESPONSE_0_LIST_OFFSETS_PARTITION_RESPONSE), 0, 255).array(),
], &[]);
static LIST_OFFSETS_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&LIST_OFFSETS_RESPONSE_0_LIST_OFFSETS_TOPIC_RESPONSE), 0, 255).array(),
], &[]);
static LIST_OFFSETS_RESPONSE_1_LIST_OFFSETS_PARTITION_RESPONSE: StructRow = s(false, 56, &[(1, 22), (4, 26), (6, 27)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("timestamp", I64, 1, 255).default(-1),
    f("offset", I64, 1, 255).default(-1),
    f("leader_epoch", I32, 4, 255).default(-1),
], &[]);
static LIST_OFFSETS_RESPONSE_1_LIST_OFFSETS_TOPIC_RESPONSE: StructRow = s(true, 80, &[(1, 6), (6, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&LIST_OFFSETS_RESPONSE_1_LIST_OFFSETS_PARTITION_RESPONSE), 0, 255).array(),
], &[]);
static LIST_OFFSETS_RESPONSE_1: StructRow = s(true, 56, &[(1, 4), (2, 8), (6, 6)], &[
    f("throttle_time_ms", I32, 2, 255),
    f("topics", Struct(&LIST_OFFSETS_RESPONSE_1_LIST_OFFSETS_TOPIC_RESPONSE), 0, 255).array(),
], &[]);
static METADATA_REQUEST_0_METADATA_REQUEST_TOPIC: StructRow = s(true, 72, &[(0, 2), (10, 18)], &[
    f("topic_id", Uuid, 10, 255).mark(TopicId),
    f("name", Text, 0, 255).nullable(10, 255).mark(TopicName),
], &[]);
static METADATA_REQUEST_0: StructRow = s(true, 56, &[(0, 4), (4, 5), (8, 7), (9, 5), (11, 4)], &[
    f("topics", Struct(&METADATA_REQUEST_0_METADATA_REQUEST_TOPIC), 0, 255).array().nullable(1, 255),
    f("allow_auto_topic_creation", Bool, 4, 255).default(1),
    f("include_cluster_authorized_operations", Bool, 8, 10),
    f("include_topic_authorized_operations", Bool, 8, 255),
], &[]);
static METADATA_RESPONSE_0_METADATA_RESPONSE_BROKER: StructRow = s(false, 96, &[(0, 10), (1, 12), (9, 11)], &[
    f("node_id", I32, 0, 255),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
    f("rack", Text, 1, 255).nullable(1, 255).default_null(),
], &[]);
static METADATA_RESPONSE_0_METADATA_RESPONSE_PARTITION: StructRow = s(false, 112, &[(0, 18), (5, 22), (7, 26), (9, 18)], &[
    f("error_code", I16, 0, 255),
    f("partition_index", I32, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 7, 255).default(-1),
    f("replica_nodes", I32, 0, 255).array(),
    f("isr_nodes", I32, 0, 255).array(),
    f("offline_replicas", I32, 5, 255).array(),
], &[]);
static METADATA_RESPONSE_0_METADATA_RESPONSE_TOPIC: StructRow = s(true, 104, &[(0, 8), (1, 9), (8, 13), (9, 10), (10, 26)], &[
    f("error_code", I16, 0, 255),
    f("name", Text, 0, 255).nullable(12, 255).mark(TopicName),
    f("topic_id", Uuid, 10, 255).mark(TopicId),
    f("is_internal", Bool, 1, 255),
    f("partitions", Struct(&METADATA_RESPONSE_0_METADATA_RESPONSE_PARTITION), 0, 255).array(),
    f("topic_authorized_operations", I32, 8, 255).default(-2147483648),
], &[]);
static METADATA_RESPONSE_0: StructRow = s(true, 120, &[(0, 8), (1, 12), (2, 14), (3, 18), (8, 22), (9, 16), (11, 12), (13, 14)], &[
    f("throttle_time_ms", I32, 3, 255),
    f("brokers", Struct(&METADATA_RESPONSE_0_METADATA_RESPONSE_BROKER), 0, 255).array(),
    f("cluster_id", Text, 2, 255).nullable(2, 255).default_null(),
    f("controller_id", I32, 1, 255).default(-1),
    f("topics", Struct(&METADATA_RESPONSE_0_METADATA_RESPONSE_TOPIC), 0, 255).array(),
    f("cluster_authorized_operations", I32, 8, 10).default(-2147483648),
    f("error_code", I16, 13, 255),
], &[]);
static OFFSET_COMMIT_REQUEST_0_OFFSET_COMMIT_REQUEST_PARTITION: StructRow = s(false, 80, &[(0, 14), (1, 22)], &[
    f("partition_index", I32, 0, 255),
    f("committed_offset", I64, 0, 255),
    f("commit_timestamp", I64, 1, 1).default(-1),
    f("committed_metadata", Text, 0, 255).nullable(0, 255),
], &[]);
static OFFSET_COMMIT_REQUEST_0_OFFSET_COMMIT_REQUEST_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_COMMIT_REQUEST_0_OFFSET_COMMIT_REQUEST_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_REQUEST_0: StructRow = s(true, 120, &[(0, 6), (1, 12)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("generation_id_or_member_epoch", I32, 1, 255).default(-1),
    f("member_id", Text, 1, 255),
    f("topics", Struct(&OFFSET_COMMIT_REQUEST_0_OFFSET_COMMIT_REQUEST_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_REQUEST_2_OFFSET_COMMIT_REQUEST_PARTITION: StructRow = s(false, 72, &[(2, 14), (6, 18)], &[
    f("partition_index", I32, 0, 255),
    f("committed_offset", I64, 0, 255),
    f("committed_leader_epoch", I32, 6, 255).default(-1),
    f("committed_metadata", Text, 0, 255).nullable(0, 255),
], &[]);
static OFFSET_COMMIT_REQUEST_2_OFFSET_COMMIT_REQUEST_TOPIC: StructRow = s(true, 96, &[(2, 6), (8, 3), (10, 18)], &[
    f("name", Text, 0, 9).mark(TopicName),
    f("topic_id", Uuid, 10, 255).mark(TopicId),
    f("partitions", Struct(&OFFSET_COMMIT_REQUEST_2_OFFSET_COMMIT_REQUEST_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_REQUEST_2: StructRow = s(true, 160, &[(2, 20), (5, 12), (7, 14), (8, 9)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("generation_id_or_member_epoch", I32, 1, 255).default(-1),
    f("member_id", Text, 1, 255),
    f("group_instance_id", Text, 7, 255).nullable(7, 255).default_null(),
    f("retention_time_ms", I64, 2, 4).default(-1),
    f("topics", Struct(&OFFSET_COMMIT_REQUEST_2_OFFSET_COMMIT_REQUEST_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_RESPONSE_0_OFFSET_COMMIT_RESPONSE_PARTITION: StructRow = s(false, 32, &[(0, 6)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static OFFSET_COMMIT_RESPONSE_0_OFFSET_COMMIT_RESPONSE_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_COMMIT_RESPONSE_0_OFFSET_COMMIT_RESPONSE_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&OFFSET_COMMIT_RESPONSE_0_OFFSET_COMMIT_RESPONSE_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_RESPONSE_2_OFFSET_COMMIT_RESPONSE_PARTITION: StructRow = s(false, 32, &[(2, 6), (8, 7)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static OFFSET_COMMIT_RESPONSE_2_OFFSET_COMMIT_RESPONSE_TOPIC: StructRow = s(true, 96, &[(2, 6), (8, 3), (10, 18)], &[
    f("name", Text, 0, 9).mark(TopicName),
    f("topic_id", Uuid, 10, 255).mark(TopicId),
    f("partitions", Struct(&OFFSET_COMMIT_RESPONSE_2_OFFSET_COMMIT_RESPONSE_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_COMMIT_RESPONSE_2: StructRow = s(true, 56, &[(2, 4), (3, 8), (8, 6)], &[
    f("throttle_time_ms", I32, 3, 255),
    f("topics", Struct(&OFFSET_COMMIT_RESPONSE_2_OFFSET_COMMIT_RESPONSE_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_FETCH_REQUEST_0_OFFSET_FETCH_REQUEST_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 7).mark(TopicName),
    f("partition_indexes", I32, 0, 7).array(),
], &[]);
static OFFSET_FETCH_REQUEST_0: StructRow = s(true, 80, &[(0, 6)], &[
    f("group_id", Text, 0, 7).mark(GroupId),
    f("topics", Struct(&OFFSET_FETCH_REQUEST_0_OFFSET_FETCH_REQUEST_TOPIC), 0, 7).array(),
], &[]);
static OFFSET_FETCH_REQUEST_1_OFFSET_FETCH_REQUEST_TOPIC: StructRow = s(true, 80, &[(1, 6), (6, 3), (8, 1)], &[
    f("name", Text, 0, 7).mark(TopicName),
    f("partition_indexes", I32, 0, 7).array(),
], &[]);
static OFFSET_FETCH_REQUEST_1_OFFSET_FETCH_REQUEST_TOPICS: StructRow = s(true, 96, &[(1, 1), (6, 1), (8, 3), (10, 18)], &[
    f("name", Text, 8, 9).mark(TopicName),
    f("topic_id", Uuid, 10, 255).mark(TopicId),
    f("partition_indexes", I32, 8, 255).array(),
], &[]);
static OFFSET_FETCH_REQUEST_1_OFFSET_FETCH_REQUEST_GROUP: StructRow = s(true, 120, &[(1, 1), (6, 1), (8, 3), (9, 8)], &[
    f("group_id", Text, 8, 255).mark(GroupId),
    f("member_id", Text, 9, 255).nullable(9, 255).default_null(),
    f("member_epoch", I32, 9, 255).default(-1),
    f("topics", Struct(&OFFSET_FETCH_REQUEST_1_OFFSET_FETCH_REQUEST_TOPICS), 8, 255).array().nullable(8, 255),
], &[]);
static OFFSET_FETCH_REQUEST_1: StructRow = s(true, 112, &[(1, 6), (6, 3), (7, 4), (8, 3)], &[
    f("group_id", Text, 0, 7).mark(GroupId),
    f("topics", Struct(&OFFSET_FETCH_REQUEST_1_OFFSET_FETCH_REQUEST_TOPIC), 0, 7).array().nullable(2, 7),
    f("groups", Struct(&OFFSET_FETCH_REQUEST_1_OFFSET_FETCH_REQUEST_GROUP), 8, 255).array(),
    f("require_stable", Bool, 7, 255),
], &[]);
static OFFSET_FETCH_RESPONSE_0_OFFSET_FETCH_RESPONSE_PARTITION: StructRow = s(false, 72, &[(0, 16)], &[
    f("partition_index", I32, 0, 7),
    f("committed_offset", I64, 0, 7),
    f("metadata", Text, 0, 7).nullable(0, 7),
    f("error_code", I16, 0, 7),
], &[]);
static OFFSET_FETCH_RESPONSE_0_OFFSET_FETCH_RESPONSE_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 7).mark(TopicName),
    f("partitions", Struct(&OFFSET_FETCH_RESPONSE_0_OFFSET_FETCH_RESPONSE_PARTITION), 0, 7).array(),
], &[]);
static OFFSET_FETCH_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&OFFSET_FETCH_RESPONSE_0_OFFSET_FETCH_RESPONSE_TOPIC), 0, 7).array(),
], &[]);
static OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_PARTITION: StructRow = s(false, 80, &[(1, 16), (5, 20), (8, 1)], &[
    f("partition_index", I32, 0, 7),
    f("committed_offset", I64, 0, 7),
    f("committed_leader_epoch", I32, 5, 7).default(-1),
    f("metadata", Text, 0, 7).nullable(0, 7),
    f("error_code", I16, 0, 7),
], &[]);
static OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_TOPIC: StructRow = s(true, 80, &[(1, 6), (6, 3), (8, 1)], &[
    f("name", Text, 0, 7).mark(TopicName),
    f("partitions", Struct(&OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_PARTITION), 0, 7).array(),
], &[]);
static OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_PARTITIONS: StructRow = s(false, 80, &[(1, 1), (6, 1), (8, 20)], &[
    f("partition_index", I32, 8, 255),
    f("committed_offset", I64, 8, 255),
    f("committed_leader_epoch", I32, 8, 255).default(-1),
    f("metadata", Text, 8, 255).nullable(8, 255),
    f("error_code", I16, 8, 255),
], &[]);
static OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_TOPICS: StructRow = s(true, 96, &[(1, 1), (6, 1), (8, 3), (10, 18)], &[
    f("name", Text, 8, 9).mark(TopicName),
    f("topic_id", Uuid, 10, 255).mark(TopicId),
    f("partitions", Struct(&OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_PARTITIONS), 8, 255).array(),
], &[]);
static OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_GROUP: StructRow = s(true, 88, &[(1, 1), (6, 1), (8, 5)], &[
    f("group_id", Text, 8, 255).mark(GroupId),
    f("topics", Struct(&OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_TOPICS), 8, 255).array(),
    f("error_code", I16, 8, 255),
], &[]);
static OFFSET_FETCH_RESPONSE_1: StructRow = s(true, 80, &[(1, 4), (2, 6), (3, 10), (6, 8), (8, 6)], &[
    f("throttle_time_ms", I32, 3, 255),
    f("topics", Struct(&OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_TOPIC), 0, 7).array(),
    f("error_code", I16, 2, 7),
    f("groups", Struct(&OFFSET_FETCH_RESPONSE_1_OFFSET_FETCH_RESPONSE_GROUP), 8, 255).array(),
], &[]);
static FIND_COORDINATOR_REQUEST_0: StructRow = s(true, 88, &[(0, 2), (1, 3)], &[
    f("key", Text, 0, 3).mark(CoordinatorKey),
    f("key_type", I8, 1, 255),
    f("coordinator_keys", Text, 4, 255).array().mark(CoordinatorKey),
], &[]);
static FIND_COORDINATOR_RESPONSE_0_COORDINATOR: StructRow = s(true, 136, &[(0, 1), (3, 1), (4, 14)], &[
    f("key", Text, 4, 255).mark(CoordinatorKey),
    f("node_id", I32, 4, 255),
    f("host", Text, 4, 255),
    f("port", I32, 4, 255),
    f("error_code", I16, 4, 255),
    f("error_message", Text, 4, 255).nullable(4, 255),
], &[]);
static FIND_COORDINATOR_RESPONSE_0: StructRow = s(true, 128, &[(0, 12), (1, 18), (3, 17), (4, 6)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("error_code", I16, 0, 3),
    f("error_message", Text, 1, 3).nullable(1, 3),
    f("node_id", I32, 0, 3),
    f("host", Text, 0, 3),
    f("port", I32, 0, 3),
    f("coordinators", Struct(&FIND_COORDINATOR_RESPONSE_0_COORDINATOR), 4, 255).array(),
], &[]);
static JOIN_GROUP_REQUEST_0_JOIN_GROUP_REQUEST_PROTOCOL: StructRow = s(false, 88, &[(0, 6), (6, 3)], &[
    f("name", Text, 0, 255),
    f("metadata", Bytes, 0, 255),
], &[]);
static JOIN_GROUP_REQUEST_0: StructRow = s(true, 216, &[(0, 14), (1, 18), (5, 20), (6, 14), (8, 15)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("session_timeout_ms", I32, 0, 255),
    f("rebalance_timeout_ms", I32, 1, 255).default(-1),
    f("member_id", Text, 0, 255),
    f("group_instance_id", Text, 5, 255).nullable(5, 255).default_null(),
    f("protocol_type", Text, 0, 255),
    f("protocols", Struct(&JOIN_GROUP_REQUEST_0_JOIN_GROUP_REQUEST_PROTOCOL), 0, 255).array(),
    f("reason", Text, 8, 255).nullable(8, 255).default_null(),
], &[]);
static JOIN_GROUP_RESPONSE_0_JOIN_GROUP_RESPONSE_MEMBER: StructRow = s(false, 120, &[(0, 6), (5, 8), (6, 4)], &[
    f("member_id", Text, 0, 255),
    f("group_instance_id", Text, 5, 255).nullable(5, 255).default_null(),
    f("metadata", Bytes, 0, 255),
], &[]);
static JOIN_GROUP_RESPONSE_0: StructRow = s(false, 192, &[(0, 16), (2, 20), (6, 15), (7, 16), (9, 17)], &[
    f("throttle_time_ms", I32, 2, 255),
    f("error_code", I16, 0, 255),
    f("generation_id", I32, 0, 255).default(-1),
    f("protocol_type", Text, 7, 255).nullable(7, 255).default_null(),
    f("protocol_name", Text, 0, 255).nullable(7, 255),
    f("leader", Text, 0, 255),
    f("skip_assignment", Bool, 9, 255),
    f("member_id", Text, 0, 255),
    f("members", Struct(&JOIN_GROUP_RESPONSE_0_JOIN_GROUP_RESPONSE_MEMBER), 0, 255).array(),
], &[]);
static HEARTBEAT_REQUEST_0: StructRow = s(true, 128, &[(0, 8), (3, 10), (4, 8)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("generation_id", I32, 0, 255),
    f("member_id", Text, 0, 255),
    f("group_instance_id", Text, 3, 255).nullable(3, 255).default_null(),
], &[]);
static HEARTBEAT_RESPONSE_0: StructRow = s(false, 32, &[(0, 2), (1, 6), (4, 7)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("error_code", I16, 0, 255),
], &[]);
static LEAVE_GROUP_REQUEST_0_MEMBER_IDENTITY: StructRow = s(false, 120, &[(0, 1), (3, 4), (4, 3), (5, 4)], &[
    f("member_id", Text, 3, 255),
    f("group_instance_id", Text, 3, 255).nullable(3, 255).default_null(),
    f("reason", Text, 5, 255).nullable(5, 255).default_null(),
], &[]);
static LEAVE_GROUP_REQUEST_0: StructRow = s(true, 112, &[(0, 4), (3, 6), (4, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("member_id", Text, 0, 2),
    f("members", Struct(&LEAVE_GROUP_REQUEST_0_MEMBER_IDENTITY), 3, 255).array(),
], &[]);
static LEAVE_GROUP_RESPONSE_0_MEMBER_RESPONSE: StructRow = s(false, 96, &[(0, 1), (3, 6), (4, 5)], &[
    f("member_id", Text, 3, 255),
    f("group_instance_id", Text, 3, 255).nullable(3, 255),
    f("error_code", I16, 3, 255),
], &[]);
static LEAVE_GROUP_RESPONSE_0: StructRow = s(false, 56, &[(0, 2), (1, 6), (3, 10), (4, 8)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("error_code", I16, 0, 255),
    f("members", Struct(&LEAVE_GROUP_RESPONSE_0_MEMBER_RESPONSE), 3, 255).array(),
], &[]);
static SYNC_GROUP_REQUEST_0_SYNC_GROUP_REQUEST_ASSIGNMENT: StructRow = s(false, 88, &[(0, 6), (4, 3)], &[
    f("member_id", Text, 0, 255),
    f("assignment", Bytes, 0, 255),
], &[]);
static SYNC_GROUP_REQUEST_0: StructRow = s(true, 216, &[(0, 12), (3, 14), (4, 9), (5, 11)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("generation_id", I32, 0, 255),
    f("member_id", Text, 0, 255),
    f("group_instance_id", Text, 3, 255).nullable(3, 255).default_null(),
    f("protocol_type", Text, 5, 255).nullable(5, 255).default_null(),
    f("protocol_name", Text, 5, 255).nullable(5, 255).default_null(),
    f("assignments", Struct(&SYNC_GROUP_REQUEST_0_SYNC_GROUP_REQUEST_ASSIGNMENT), 0, 255).array(),
], &[]);
static SYNC_GROUP_RESPONSE_0: StructRow = s(false, 128, &[(0, 6), (1, 10), (4, 8), (5, 10)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("error_code", I16, 0, 255),
    f("protocol_type", Text, 5, 255).nullable(5, 255).default_null(),
    f("protocol_name", Text, 5, 255).nullable(5, 255).default_null(),
    f("assignment", Bytes, 0, 255),
], &[]);
static DESCRIBE_GROUPS_REQUEST_0: StructRow = s(true, 56, &[(0, 4), (3, 5), (5, 3)], &[
    f("groups", Text, 0, 255).array().mark(GroupId),
    f("include_authorized_operations", Bool, 3, 255),
], &[]);
static DESCRIBE_GROUPS_RESPONSE_0_DESCRIBED_GROUP_MEMBER: StructRow = s(false, 216, &[(0, 14), (4, 16), (5, 7)], &[
    f("member_id", Text, 0, 255),
    f("group_instance_id", Text, 4, 255).nullable(4, 255).default_null(),
    f("client_id", Text, 0, 255),
    f("client_host", Text, 0, 255),
    f("member_metadata", Bytes, 0, 255),
    f("member_assignment", Bytes, 0, 255),
], &[]);
static DESCRIBE_GROUPS_RESPONSE_0_DESCRIBED_GROUP: StructRow = s(true, 216, &[(0, 14), (3, 18), (5, 12), (6, 13)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 6, 255).nullable(6, 255).default_null(),
    f("group_id", Text, 0, 255).mark(GroupId),
    f("group_state", Text, 0, 255),
    f("protocol_type", Text, 0, 255),
    f("protocol_data", Text, 0, 255),
    f("members", Struct(&DESCRIBE_GROUPS_RESPONSE_0_DESCRIBED_GROUP_MEMBER), 0, 255).array(),
    f("authorized_operations", I32, 3, 255).default(-2147483648),
], &[]);
static DESCRIBE_GROUPS_RESPONSE_0: StructRow = s(true, 56, &[(0, 4), (1, 8), (5, 6)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("groups", Struct(&DESCRIBE_GROUPS_RESPONSE_0_DESCRIBED_GROUP), 0, 255).array(),
], &[]);
static LIST_GROUPS_REQUEST_0: StructRow = s(false, 72, &[(0, 1), (3, 1), (4, 2), (5, 3)], &[
    f("states_filter", Text, 4, 255).array(),
    f("types_filter", Text, 5, 255).array(),
], &[]);
static LIST_GROUPS_RESPONSE_0_LISTED_GROUP: StructRow = s(true, 152, &[(0, 4), (3, 3), (4, 4), (5, 5)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("protocol_type", Text, 0, 255),
    f("group_state", Text, 4, 255),
    f("group_type", Text, 5, 255),
], &[]);
static LIST_GROUPS_RESPONSE_0: StructRow = s(true, 56, &[(0, 6), (1, 10), (3, 8)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("error_code", I16, 0, 255),
    f("groups", Struct(&LIST_GROUPS_RESPONSE_0_LISTED_GROUP), 0, 255).array(),
], &[]);
static SASL_HANDSHAKE_REQUEST_0: StructRow = s(false, 56, &[(0, 2)], &[
    f("mechanism", Text, 0, 255),
], &[]);
static SASL_HANDSHAKE_RESPONSE_0: StructRow = s(false, 56, &[(0, 6)], &[
    f("error_code", I16, 0, 255),
    f("mechanisms", Text, 0, 255).array(),
], &[]);
static API_VERSIONS_REQUEST_0: StructRow = s(false, 128, &[(0, 1), (3, 3), (5, 8)], &[
    f("client_software_name", Text, 3, 255),
    f("client_software_version", Text, 3, 255),
    f("cluster_id", Text, 5, 255).nullable(5, 255).default_null(),
    f("node_id", I32, 5, 255).default(-1),
], &[]);
static API_VERSIONS_RESPONSE_0_API_VERSION: StructRow = s(false, 32, &[(0, 6), (3, 7)], &[
    f("api_key", I16, 0, 255),
    f("min_version", I16, 0, 255),
    f("max_version", I16, 0, 255),
], &[]);
static API_VERSIONS_RESPONSE_0_SUPPORTED_FEATURE_KEY: StructRow = s(false, 64, &[(0, 1), (3, 6)], &[
    f("name", Text, 3, 255),
    f("min_version", I16, 3, 255),
    f("max_version", I16, 3, 255),
], &[]);
static API_VERSIONS_RESPONSE_0_FINALIZED_FEATURE_KEY: StructRow = s(false, 64, &[(0, 1), (3, 6)], &[
    f("name", Text, 3, 255),
    f("max_version_level", I16, 3, 255),
    f("min_version_level", I16, 3, 255),
], &[]);
static API_VERSIONS_RESPONSE_0: StructRow = s(false, 112, &[(0, 6), (1, 10), (3, 8)], &[
    f("error_code", I16, 0, 255),
    f("api_keys", Struct(&API_VERSIONS_RESPONSE_0_API_VERSION), 0, 255).array(),
    f("throttle_time_ms", I32, 1, 255),
], &[
    f("supported_features", Struct(&API_VERSIONS_RESPONSE_0_SUPPORTED_FEATURE_KEY), 3, 255).array().tagged(0),
    f("finalized_features_epoch", I64, 3, 255).tagged(1).default(-1),
    f("finalized_features", Struct(&API_VERSIONS_RESPONSE_0_FINALIZED_FEATURE_KEY), 3, 255).array().tagged(2),
    f("zk_migration_ready", Bool, 3, 255).tagged(3),
]);
static CREATE_TOPICS_REQUEST_0_CREATABLE_REPLICA_ASSIGNMENT: StructRow = s(false, 56, &[(0, 8)], &[
    f("partition_index", I32, 0, 255),
    f("broker_ids", I32, 0, 255).array(),
], &[]);
static CREATE_TOPICS_REQUEST_0_CREATABLE_TOPIC_CONFIG: StructRow = s(false, 88, &[(0, 4)], &[
    f("name", Text, 0, 255),
    f("value", Text, 0, 255).nullable(0, 255),
], &[]);
static CREATE_TOPICS_REQUEST_0_CREATABLE_TOPIC: StructRow = s(true, 112, &[(0, 16)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("num_partitions", I32, 0, 255),
    f("replication_factor", I16, 0, 255),
    f("assignments", Struct(&CREATE_TOPICS_REQUEST_0_CREATABLE_REPLICA_ASSIGNMENT), 0, 255).array(),
    f("configs", Struct(&CREATE_TOPICS_REQUEST_0_CREATABLE_TOPIC_CONFIG), 0, 255).array(),
], &[]);
static CREATE_TOPICS_REQUEST_0: StructRow = s(true, 56, &[(0, 8), (1, 9)], &[
    f("topics", Struct(&CREATE_TOPICS_REQUEST_0_CREATABLE_TOPIC), 0, 255).array(),
    f("timeout_ms", I32, 0, 255).default(60000),
    f("validate_only", Bool, 1, 255),
], &[]);
static CREATE_TOPICS_REQUEST_2_CREATABLE_REPLICA_ASSIGNMENT: StructRow = s(false, 56, &[(2, 8), (5, 6)], &[
    f("partition_index", I32, 0, 255),
    f("broker_ids", I32, 0, 255).array(),
], &[]);
static CREATE_TOPICS_REQUEST_2_CREATABLE_TOPIC_CONFIG: StructRow = s(false, 88, &[(2, 4), (5, 3)], &[
    f("name", Text, 0, 255),
    f("value", Text, 0, 255).nullable(0, 255),
], &[]);
static CREATE_TOPICS_REQUEST_2_CREATABLE_TOPIC: StructRow = s(true, 112, &[(2, 16), (5, 10)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("num_partitions", I32, 0, 255),
    f("replication_factor", I16, 0, 255),
    f("assignments", Struct(&CREATE_TOPICS_REQUEST_2_CREATABLE_REPLICA_ASSIGNMENT), 0, 255).array(),
    f("configs", Struct(&CREATE_TOPICS_REQUEST_2_CREATABLE_TOPIC_CONFIG), 0, 255).array(),
], &[]);
static CREATE_TOPICS_REQUEST_2: StructRow = s(true, 56, &[(2, 9), (5, 7)], &[
    f("topics", Struct(&CREATE_TOPICS_REQUEST_2_CREATABLE_TOPIC), 0, 255).array(),
    f("timeout_ms", I32, 0, 255).default(60000),
    f("validate_only", Bool, 1, 255),
], &[]);
static CREATE_TOPICS_RESPONSE_0_CREATABLE_TOPIC_RESULT: StructRow = s(true, 96, &[(0, 4), (1, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 1, 255).nullable(0, 255),
], &[]);
static CREATE_TOPICS_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&CREATE_TOPICS_RESPONSE_0_CREATABLE_TOPIC_RESULT), 0, 255).array(),
], &[]);
static CREATE_TOPICS_RESPONSE_2_CREATABLE_TOPIC_CONFIGS: StructRow = s(false, 96, &[(2, 1), (5, 6)], &[
    f("name", Text, 5, 255),
    f("value", Text, 5, 255).nullable(5, 255),
    f("read_only", Bool, 5, 255),
    f("config_source", I8, 5, 255).default(-1),
    f("is_sensitive", Bool, 5, 255),
], &[]);
static CREATE_TOPICS_RESPONSE_2_CREATABLE_TOPIC_RESULT: StructRow = s(true, 144, &[(2, 6), (5, 12), (7, 28)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("topic_id", Uuid, 7, 255).mark(TopicId),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 1, 255).nullable(0, 255),
    f("num_partitions", I32, 5, 255).default(-1),
    f("replication_factor", I16, 5, 255).default(-1),
    f("configs", Struct(&CREATE_TOPICS_RESPONSE_2_CREATABLE_TOPIC_CONFIGS), 5, 255).array().nullable(5, 255),
], &[
    f("topic_config_error_code", I16, 5, 255).tagged(0),
]);
static CREATE_TOPICS_RESPONSE_2: StructRow = s(true, 56, &[(2, 8), (5, 6)], &[
    f("throttle_time_ms", I32, 2, 255),
    f("topics", Struct(&CREATE_TOPICS_RESPONSE_2_CREATABLE_TOPIC_RESULT), 0, 255).array(),
], &[]);
static DELETE_TOPICS_REQUEST_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("topic_names", Text, 0, 5).array().mark(TopicName),
    f("timeout_ms", I32, 0, 255),
], &[]);
static DELETE_TOPICS_REQUEST_1_DELETE_TOPIC_STATE: StructRow = s(true, 72, &[(1, 1), (4, 1), (6, 18)], &[
    f("name", Text, 6, 255).nullable(6, 255).mark(TopicName).default_null(),
    f("topic_id", Uuid, 6, 255).mark(TopicId),
], &[]);
static DELETE_TOPICS_REQUEST_1: StructRow = s(true, 80, &[(1, 8), (4, 6)], &[
    f("topics", Struct(&DELETE_TOPICS_REQUEST_1_DELETE_TOPIC_STATE), 6, 255).array(),
    f("topic_names", Text, 0, 5).array().mark(TopicName),
    f("timeout_ms", I32, 0, 255),
], &[]);
static DELETE_TOPICS_RESPONSE_0_DELETABLE_TOPIC_RESULT: StructRow = s(true, 64, &[(0, 4)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("error_code", I16, 0, 255),
], &[]);
static DELETE_TOPICS_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("responses", Struct(&DELETE_TOPICS_RESPONSE_0_DELETABLE_TOPIC_RESULT), 0, 255).array(),
], &[]);
static DELETE_TOPICS_RESPONSE_1_DELETABLE_TOPIC_RESULT: StructRow = s(true, 112, &[(1, 4), (5, 5), (6, 21)], &[
    f("name", Text, 0, 255).nullable(6, 255).mark(TopicName),
    f("topic_id", Uuid, 6, 255).mark(TopicId),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 5, 255).nullable(5, 255).default_null(),
], &[]);
static DELETE_TOPICS_RESPONSE_1: StructRow = s(true, 56, &[(1, 8), (4, 6)], &[
    f("throttle_time_ms", I32, 1, 255),
    f("responses", Struct(&DELETE_TOPICS_RESPONSE_1_DELETABLE_TOPIC_RESULT), 0, 255).array(),
], &[]);
static DELETE_RECORDS_REQUEST_0_DELETE_RECORDS_PARTITION: StructRow = s(false, 40, &[(0, 12), (2, 13)], &[
    f("partition_index", I32, 0, 255),
    f("offset", I64, 0, 255),
], &[]);
static DELETE_RECORDS_REQUEST_0_DELETE_RECORDS_TOPIC: StructRow = s(true, 80, &[(0, 6), (2, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DELETE_RECORDS_REQUEST_0_DELETE_RECORDS_PARTITION), 0, 255).array(),
], &[]);
static DELETE_RECORDS_REQUEST_0: StructRow = s(true, 56, &[(0, 8), (2, 6)], &[
    f("topics", Struct(&DELETE_RECORDS_REQUEST_0_DELETE_RECORDS_TOPIC), 0, 255).array(),
    f("timeout_ms", I32, 0, 255),
], &[]);
static DELETE_RECORDS_RESPONSE_0_DELETE_RECORDS_PARTITION_RESULT: StructRow = s(false, 40, &[(0, 14), (2, 15)], &[
    f("partition_index", I32, 0, 255),
    f("low_watermark", I64, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static DELETE_RECORDS_RESPONSE_0_DELETE_RECORDS_TOPIC_RESULT: StructRow = s(true, 80, &[(0, 6), (2, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DELETE_RECORDS_RESPONSE_0_DELETE_RECORDS_PARTITION_RESULT), 0, 255).array(),
], &[]);
static DELETE_RECORDS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("topics", Struct(&DELETE_RECORDS_RESPONSE_0_DELETE_RECORDS_TOPIC_RESULT), 0, 255).array(),
], &[]);
static INIT_PRODUCER_ID_REQUEST_0: StructRow = s(true, 72, &[(0, 6), (3, 16), (6, 18)], &[
    f("transactional_id", Text, 0, 255).nullable(0, 255).mark(TransactionalId),
    f("transaction_timeout_ms", I32, 0, 255),
    f("producer_id", I64, 3, 255).default(-1),
    f("producer_epoch", I16, 3, 255).default(-1),
    f("enable2_pc", Bool, 6, 255),
    f("keep_prepared_txn", Bool, 6, 255),
], &[]);
static INIT_PRODUCER_ID_RESPONSE_0: StructRow = s(false, 56, &[(0, 16), (2, 17), (6, 27)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("producer_id", I64, 0, 255).default(-1),
    f("producer_epoch", I16, 0, 255),
    f("ongoing_txn_producer_id", I64, 6, 255).default(-1),
    f("ongoing_txn_producer_epoch", I16, 6, 255).default(-1),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_REQUEST_0_OFFSET_FOR_LEADER_PARTITION: StructRow = s(false, 32, &[(0, 8)], &[
    f("partition", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_REQUEST_0_OFFSET_FOR_LEADER_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_0_OFFSET_FOR_LEADER_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_0_OFFSET_FOR_LEADER_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_REQUEST_2_OFFSET_FOR_LEADER_PARTITION: StructRow = s(false, 40, &[(2, 12), (4, 13)], &[
    f("partition", I32, 0, 255),
    f("current_leader_epoch", I32, 2, 255).default(-1),
    f("leader_epoch", I32, 0, 255),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_REQUEST_2_OFFSET_FOR_LEADER_TOPIC: StructRow = s(true, 80, &[(2, 6), (4, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_2_OFFSET_FOR_LEADER_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_REQUEST_2: StructRow = s(true, 56, &[(2, 4), (3, 8), (4, 6)], &[
    f("replica_id", I32, 3, 255).default(-2),
    f("topics", Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_2_OFFSET_FOR_LEADER_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_RESPONSE_0_EPOCH_END_OFFSET: StructRow = s(false, 48, &[(0, 14), (1, 18)], &[
    f("error_code", I16, 0, 255),
    f("partition", I32, 0, 255),
    f("leader_epoch", I32, 1, 255).default(-1),
    f("end_offset", I64, 0, 255).default(-1),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_RESPONSE_0_OFFSET_FOR_LEADER_TOPIC_RESULT: StructRow = s(true, 80, &[(0, 6)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_0_EPOCH_END_OFFSET), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_0_OFFSET_FOR_LEADER_TOPIC_RESULT), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_RESPONSE_2_EPOCH_END_OFFSET: StructRow = s(false, 48, &[(2, 18), (4, 19)], &[
    f("error_code", I16, 0, 255),
    f("partition", I32, 0, 255),
    f("leader_epoch", I32, 1, 255).default(-1),
    f("end_offset", I64, 0, 255).default(-1),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_RESPONSE_2_OFFSET_FOR_LEADER_TOPIC_RESULT: StructRow = s(true, 80, &[(2, 6), (4, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_2_EPOCH_END_OFFSET), 0, 255).array(),
], &[]);
static OFFSET_FOR_LEADER_EPOCH_RESPONSE_2: StructRow = s(true, 56, &[(2, 8), (4, 6)], &[
    f("throttle_time_ms", I32, 2, 255),
    f("topics", Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_2_OFFSET_FOR_LEADER_TOPIC_RESULT), 0, 255).array(),
], &[]);
static ADD_PARTITIONS_TO_TXN_REQUEST_0_ADD_PARTITIONS_TO_TXN_TOPIC: StructRow = s(true, 80, &[(0, 6), (3, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static ADD_PARTITIONS_TO_TXN_REQUEST_0_ADD_PARTITIONS_TO_TXN_TRANSACTION: StructRow = s(true, 96, &[(0, 1), (3, 1), (4, 14)], &[
    f("transactional_id", Text, 4, 255).mark(TransactionalId),
    f("producer_id", I64, 4, 255),
    f("producer_epoch", I16, 4, 255),
    f("verify_only", Bool, 4, 255),
    f("topics", Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_0_ADD_PARTITIONS_TO_TXN_TOPIC), 4, 255).array(),
], &[]);
static ADD_PARTITIONS_TO_TXN_REQUEST_0: StructRow = s(true, 120, &[(0, 16), (3, 13), (4, 2)], &[
    f("transactions", Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_0_ADD_PARTITIONS_TO_TXN_TRANSACTION), 4, 255).array(),
    f("v3_and_below_transactional_id", Text, 0, 3).mark(TransactionalId),
    f("v3_and_below_producer_id", I64, 0, 3),
    f("v3_and_below_producer_epoch", I16, 0, 3),
    f("v3_and_below_topics", Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_0_ADD_PARTITIONS_TO_TXN_TOPIC), 0, 3).array(),
], &[]);
static ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_PARTITION_RESULT: StructRow = s(false, 32, &[(0, 6), (3, 7)], &[
    f("partition_index", I32, 0, 255),
    f("partition_error_code", I16, 0, 255),
], &[]);
static ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT: StructRow = s(true, 80, &[(0, 6), (3, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("results_by_partition", Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_PARTITION_RESULT), 0, 255).array(),
], &[]);
static ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_RESULT: StructRow = s(true, 80, &[(0, 1), (3, 1), (4, 3)], &[
    f("transactional_id", Text, 4, 255).mark(TransactionalId),
    f("topic_results", Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT), 4, 255).array(),
], &[]);
static ADD_PARTITIONS_TO_TXN_RESPONSE_0: StructRow = s(true, 80, &[(0, 8), (3, 6), (4, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 4, 255),
    f("results_by_transaction", Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_RESULT), 4, 255).array(),
    f("results_by_topic_v3_and_below", Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_0_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT), 0, 3).array(),
], &[]);
static ADD_OFFSETS_TO_TXN_REQUEST_0: StructRow = s(true, 104, &[(0, 14), (3, 13)], &[
    f("transactional_id", Text, 0, 255).mark(TransactionalId),
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I16, 0, 255),
    f("group_id", Text, 0, 255).mark(GroupId),
], &[]);
static ADD_OFFSETS_TO_TXN_RESPONSE_0: StructRow = s(false, 32, &[(0, 6), (3, 7)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static END_TXN_REQUEST_0: StructRow = s(true, 72, &[(0, 13)], &[
    f("transactional_id", Text, 0, 255).mark(TransactionalId),
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I16, 0, 255),
    f("committed", Bool, 0, 255),
], &[]);
static END_TXN_RESPONSE_0: StructRow = s(false, 40, &[(0, 6), (3, 7), (5, 17)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("producer_id", I64, 5, 255).default(-1),
    f("producer_epoch", I16, 5, 255).default(-1),
], &[]);
static WRITE_TXN_MARKERS_REQUEST_0_WRITABLE_TXN_MARKER_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partition_indexes", I32, 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_REQUEST_0_WRITABLE_TXN_MARKER: StructRow = s(true, 64, &[(0, 19)], &[
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I16, 0, 255),
    f("transaction_result", Bool, 0, 255),
    f("topics", Struct(&WRITE_TXN_MARKERS_REQUEST_0_WRITABLE_TXN_MARKER_TOPIC), 0, 255).array(),
    f("coordinator_epoch", I32, 0, 255),
], &[]);
static WRITE_TXN_MARKERS_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("markers", Struct(&WRITE_TXN_MARKERS_REQUEST_0_WRITABLE_TXN_MARKER), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_REQUEST_1_WRITABLE_TXN_MARKER_TOPIC: StructRow = s(true, 80, &[(1, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partition_indexes", I32, 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_REQUEST_1_WRITABLE_TXN_MARKER: StructRow = s(true, 64, &[(1, 17), (2, 18)], &[
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I16, 0, 255),
    f("transaction_result", Bool, 0, 255),
    f("topics", Struct(&WRITE_TXN_MARKERS_REQUEST_1_WRITABLE_TXN_MARKER_TOPIC), 0, 255).array(),
    f("coordinator_epoch", I32, 0, 255),
    f("transaction_version", I8, 2, 255),
], &[]);
static WRITE_TXN_MARKERS_REQUEST_1: StructRow = s(true, 48, &[(1, 2)], &[
    f("markers", Struct(&WRITE_TXN_MARKERS_REQUEST_1_WRITABLE_TXN_MARKER), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_0_WRITABLE_TXN_MARKER_PARTITION_RESULT: StructRow = s(false, 32, &[(0, 6)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_0_WRITABLE_TXN_MARKER_TOPIC_RESULT: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&WRITE_TXN_MARKERS_RESPONSE_0_WRITABLE_TXN_MARKER_PARTITION_RESULT), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_0_WRITABLE_TXN_MARKER_RESULT: StructRow = s(true, 56, &[(0, 12)], &[
    f("producer_id", I64, 0, 255),
    f("topics", Struct(&WRITE_TXN_MARKERS_RESPONSE_0_WRITABLE_TXN_MARKER_TOPIC_RESULT), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("markers", Struct(&WRITE_TXN_MARKERS_RESPONSE_0_WRITABLE_TXN_MARKER_RESULT), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_1_WRITABLE_TXN_MARKER_PARTITION_RESULT: StructRow = s(false, 32, &[(1, 7)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_1_WRITABLE_TXN_MARKER_TOPIC_RESULT: StructRow = s(true, 80, &[(1, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&WRITE_TXN_MARKERS_RESPONSE_1_WRITABLE_TXN_MARKER_PARTITION_RESULT), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_1_WRITABLE_TXN_MARKER_RESULT: StructRow = s(true, 56, &[(1, 10)], &[
    f("producer_id", I64, 0, 255),
    f("topics", Struct(&WRITE_TXN_MARKERS_RESPONSE_1_WRITABLE_TXN_MARKER_TOPIC_RESULT), 0, 255).array(),
], &[]);
static WRITE_TXN_MARKERS_RESPONSE_1: StructRow = s(true, 48, &[(1, 2)], &[
    f("markers", Struct(&WRITE_TXN_MARKERS_RESPONSE_1_WRITABLE_TXN_MARKER_RESULT), 0, 255).array(),
], &[]);
static TXN_OFFSET_COMMIT_REQUEST_0_TXN_OFFSET_COMMIT_REQUEST_PARTITION: StructRow = s(false, 72, &[(0, 14), (2, 18)], &[
    f("partition_index", I32, 0, 255),
    f("committed_offset", I64, 0, 255),
    f("committed_leader_epoch", I32, 2, 255).default(-1),
    f("committed_metadata", Text, 0, 255).nullable(0, 255),
], &[]);
static TXN_OFFSET_COMMIT_REQUEST_0_TXN_OFFSET_COMMIT_REQUEST_TOPIC: StructRow = s(true, 96, &[(0, 6), (3, 3), (6, 18)], &[
    f("name", Text, 0, 5).mark(TopicName),
    f("topic_id", Uuid, 6, 255).mark(TopicId),
    f("partitions", Struct(&TXN_OFFSET_COMMIT_REQUEST_0_TXN_OFFSET_COMMIT_REQUEST_PARTITION), 0, 255).array(),
], &[]);
static TXN_OFFSET_COMMIT_REQUEST_0: StructRow = s(true, 192, &[(0, 18), (3, 20)], &[
    f("transactional_id", Text, 0, 255).mark(TransactionalId),
    f("group_id", Text, 0, 255).mark(GroupId),
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I16, 0, 255),
    f("generation_id_or_member_epoch", I32, 3, 255).default(-1),
    f("member_id", Text, 3, 255),
    f("group_instance_id", Text, 3, 255).nullable(3, 255).default_null(),
    f("topics", Struct(&TXN_OFFSET_COMMIT_REQUEST_0_TXN_OFFSET_COMMIT_REQUEST_TOPIC), 0, 255).array(),
], &[]);
static TXN_OFFSET_COMMIT_RESPONSE_0_TXN_OFFSET_COMMIT_RESPONSE_PARTITION: StructRow = s(false, 32, &[(0, 6), (3, 7)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static TXN_OFFSET_COMMIT_RESPONSE_0_TXN_OFFSET_COMMIT_RESPONSE_TOPIC: StructRow = s(true, 96, &[(0, 6), (3, 3), (6, 18)], &[
    f("name", Text, 0, 5).mark(TopicName),
    f("topic_id", Uuid, 6, 255).mark(TopicId),
    f("partitions", Struct(&TXN_OFFSET_COMMIT_RESPONSE_0_TXN_OFFSET_COMMIT_RESPONSE_PARTITION), 0, 255).array(),
], &[]);
static TXN_OFFSET_COMMIT_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (3, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("topics", Struct(&TXN_OFFSET_COMMIT_RESPONSE_0_TXN_OFFSET_COMMIT_RESPONSE_TOPIC), 0, 255).array(),
], &[]);
static DESCRIBE_ACLS_REQUEST_0: StructRow = s(true, 128, &[(0, 9)], &[
    f("resource_type_filter", I8, 0, 255),
    f("resource_name_filter", Text, 0, 255).nullable(0, 255).mark(AclResource),
    f("principal_filter", Text, 0, 255).nullable(0, 255),
    f("host_filter", Text, 0, 255).nullable(0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DESCRIBE_ACLS_REQUEST_1: StructRow = s(true, 128, &[(1, 10), (2, 8)], &[
    f("resource_type_filter", I8, 0, 255),
    f("resource_name_filter", Text, 0, 255).nullable(0, 255).mark(AclResource),
    f("pattern_type_filter", I8, 1, 255).default(3),
    f("principal_filter", Text, 0, 255).nullable(0, 255),
    f("host_filter", Text, 0, 255).nullable(0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DESCRIBE_ACLS_RESPONSE_0_ACL_DESCRIPTION: StructRow = s(false, 96, &[(0, 6)], &[
    f("principal", Text, 0, 255),
    f("host", Text, 0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DESCRIBE_ACLS_RESPONSE_0_DESCRIBE_ACLS_RESOURCE: StructRow = s(true, 88, &[(0, 7)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(AclResource),
    f("acls", Struct(&DESCRIBE_ACLS_RESPONSE_0_ACL_DESCRIPTION), 0, 255).array(),
], &[]);
static DESCRIBE_ACLS_RESPONSE_0: StructRow = s(true, 88, &[(0, 12)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resources", Struct(&DESCRIBE_ACLS_RESPONSE_0_DESCRIBE_ACLS_RESOURCE), 0, 255).array(),
], &[]);
static DESCRIBE_ACLS_RESPONSE_1_ACL_DESCRIPTION: StructRow = s(false, 96, &[(1, 6), (2, 5)], &[
    f("principal", Text, 0, 255),
    f("host", Text, 0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DESCRIBE_ACLS_RESPONSE_1_DESCRIBE_ACLS_RESOURCE: StructRow = s(true, 88, &[(1, 8), (2, 5)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(AclResource),
    f("pattern_type", I8, 1, 255).default(3),
    f("acls", Struct(&DESCRIBE_ACLS_RESPONSE_1_ACL_DESCRIPTION), 0, 255).array(),
], &[]);
static DESCRIBE_ACLS_RESPONSE_1: StructRow = s(true, 88, &[(1, 12), (2, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resources", Struct(&DESCRIBE_ACLS_RESPONSE_1_DESCRIBE_ACLS_RESOURCE), 0, 255).array(),
], &[]);
static CREATE_ACLS_REQUEST_0_ACL_CREATION: StructRow = s(true, 128, &[(0, 9)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(AclResource),
    f("principal", Text, 0, 255),
    f("host", Text, 0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static CREATE_ACLS_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("creations", Struct(&CREATE_ACLS_REQUEST_0_ACL_CREATION), 0, 255).array(),
], &[]);
static CREATE_ACLS_REQUEST_1_ACL_CREATION: StructRow = s(true, 128, &[(1, 10), (2, 8)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(AclResource),
    f("resource_pattern_type", I8, 1, 255).default(3),
    f("principal", Text, 0, 255),
    f("host", Text, 0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static CREATE_ACLS_REQUEST_1: StructRow = s(true, 48, &[(1, 4), (2, 2)], &[
    f("creations", Struct(&CREATE_ACLS_REQUEST_1_ACL_CREATION), 0, 255).array(),
], &[]);
static CREATE_ACLS_RESPONSE_0_ACL_CREATION_RESULT: StructRow = s(false, 64, &[(0, 4)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static CREATE_ACLS_RESPONSE_0: StructRow = s(false, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&CREATE_ACLS_RESPONSE_0_ACL_CREATION_RESULT), 0, 255).array(),
], &[]);
static CREATE_ACLS_RESPONSE_1_ACL_CREATION_RESULT: StructRow = s(false, 64, &[(1, 4)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static CREATE_ACLS_RESPONSE_1: StructRow = s(false, 56, &[(1, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&CREATE_ACLS_RESPONSE_1_ACL_CREATION_RESULT), 0, 255).array(),
], &[]);
static DELETE_ACLS_REQUEST_0_DELETE_ACLS_FILTER: StructRow = s(true, 128, &[(0, 9)], &[
    f("resource_type_filter", I8, 0, 255),
    f("resource_name_filter", Text, 0, 255).nullable(0, 255).mark(AclResource),
    f("principal_filter", Text, 0, 255).nullable(0, 255),
    f("host_filter", Text, 0, 255).nullable(0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DELETE_ACLS_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("filters", Struct(&DELETE_ACLS_REQUEST_0_DELETE_ACLS_FILTER), 0, 255).array(),
], &[]);
static DELETE_ACLS_REQUEST_1_DELETE_ACLS_FILTER: StructRow = s(true, 128, &[(1, 10), (2, 8)], &[
    f("resource_type_filter", I8, 0, 255),
    f("resource_name_filter", Text, 0, 255).nullable(0, 255).mark(AclResource),
    f("pattern_type_filter", I8, 1, 255).default(3),
    f("principal_filter", Text, 0, 255).nullable(0, 255),
    f("host_filter", Text, 0, 255).nullable(0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DELETE_ACLS_REQUEST_1: StructRow = s(true, 48, &[(1, 4), (2, 2)], &[
    f("filters", Struct(&DELETE_ACLS_REQUEST_1_DELETE_ACLS_FILTER), 0, 255).array(),
], &[]);
static DELETE_ACLS_RESPONSE_0_DELETE_ACLS_MATCHING_ACL: StructRow = s(true, 160, &[(0, 13)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(AclResource),
    f("principal", Text, 0, 255),
    f("host", Text, 0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DELETE_ACLS_RESPONSE_0_DELETE_ACLS_FILTER_RESULT: StructRow = s(true, 88, &[(0, 8)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("matching_acls", Struct(&DELETE_ACLS_RESPONSE_0_DELETE_ACLS_MATCHING_ACL), 0, 255).array(),
], &[]);
static DELETE_ACLS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("filter_results", Struct(&DELETE_ACLS_RESPONSE_0_DELETE_ACLS_FILTER_RESULT), 0, 255).array(),
], &[]);
static DELETE_ACLS_RESPONSE_1_DELETE_ACLS_MATCHING_ACL: StructRow = s(true, 160, &[(1, 14), (2, 11)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(AclResource),
    f("pattern_type", I8, 1, 255).default(3),
    f("principal", Text, 0, 255),
    f("host", Text, 0, 255),
    f("operation", I8, 0, 255),
    f("permission_type", I8, 0, 255),
], &[]);
static DELETE_ACLS_RESPONSE_1_DELETE_ACLS_FILTER_RESULT: StructRow = s(true, 88, &[(1, 8), (2, 5)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("matching_acls", Struct(&DELETE_ACLS_RESPONSE_1_DELETE_ACLS_MATCHING_ACL), 0, 255).array(),
], &[]);
static DELETE_ACLS_RESPONSE_1: StructRow = s(true, 56, &[(1, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("filter_results", Struct(&DELETE_ACLS_RESPONSE_1_DELETE_ACLS_FILTER_RESULT), 0, 255).array(),
], &[]);
static DESCRIBE_CONFIGS_REQUEST_0_DESCRIBE_CONFIGS_RESOURCE: StructRow = s(true, 88, &[(0, 7)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("configuration_keys", Text, 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_CONFIGS_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("resources", Struct(&DESCRIBE_CONFIGS_REQUEST_0_DESCRIBE_CONFIGS_RESOURCE), 0, 255).array(),
], &[]);
static DESCRIBE_CONFIGS_REQUEST_1_DESCRIBE_CONFIGS_RESOURCE: StructRow = s(true, 88, &[(1, 7), (4, 4)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("configuration_keys", Text, 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_CONFIGS_REQUEST_1: StructRow = s(true, 56, &[(1, 5), (3, 6), (4, 4)], &[
    f("resources", Struct(&DESCRIBE_CONFIGS_REQUEST_1_DESCRIBE_CONFIGS_RESOURCE), 0, 255).array(),
    f("include_synonyms", Bool, 1, 255),
    f("include_documentation", Bool, 3, 255),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_0_DESCRIBE_CONFIGS_RESOURCE_RESULT: StructRow = s(false, 96, &[(0, 7)], &[
    f("name", Text, 0, 255),
    f("value", Text, 0, 255).nullable(0, 255),
    f("read_only", Bool, 0, 255),
    f("is_default", Bool, 0, 0),
    f("is_sensitive", Bool, 0, 255),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_0_DESCRIBE_CONFIGS_RESULT: StructRow = s(true, 120, &[(0, 11)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("configs", Struct(&DESCRIBE_CONFIGS_RESPONSE_0_DESCRIBE_CONFIGS_RESOURCE_RESULT), 0, 255).array(),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&DESCRIBE_CONFIGS_RESPONSE_0_DESCRIBE_CONFIGS_RESULT), 0, 255).array(),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_1_DESCRIBE_CONFIGS_SYNONYM: StructRow = s(false, 96, &[(1, 5), (4, 4)], &[
    f("name", Text, 1, 255),
    f("value", Text, 1, 255).nullable(0, 255),
    f("source", I8, 1, 255),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_1_DESCRIBE_CONFIGS_RESOURCE_RESULT: StructRow = s(false, 152, &[(1, 11), (3, 14), (4, 9)], &[
    f("name", Text, 0, 255),
    f("value", Text, 0, 255).nullable(0, 255),
    f("read_only", Bool, 0, 255),
    f("config_source", I8, 1, 255).default(-1),
    f("is_sensitive", Bool, 0, 255),
    f("synonyms", Struct(&DESCRIBE_CONFIGS_RESPONSE_1_DESCRIBE_CONFIGS_SYNONYM), 1, 255).array(),
    f("config_type", I8, 3, 255),
    f("documentation", Text, 3, 255).nullable(0, 255),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_1_DESCRIBE_CONFIGS_RESULT: StructRow = s(true, 120, &[(1, 11), (4, 7)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("configs", Struct(&DESCRIBE_CONFIGS_RESPONSE_1_DESCRIBE_CONFIGS_RESOURCE_RESULT), 0, 255).array(),
], &[]);
static DESCRIBE_CONFIGS_RESPONSE_1: StructRow = s(true, 56, &[(1, 8), (4, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&DESCRIBE_CONFIGS_RESPONSE_1_DESCRIBE_CONFIGS_RESULT), 0, 255).array(),
], &[]);
static ALTER_CONFIGS_REQUEST_0_ALTERABLE_CONFIG: StructRow = s(false, 88, &[(0, 4), (2, 3)], &[
    f("name", Text, 0, 255),
    f("value", Text, 0, 255).nullable(0, 255),
], &[]);
static ALTER_CONFIGS_REQUEST_0_ALTER_CONFIGS_RESOURCE: StructRow = s(true, 88, &[(0, 7), (2, 4)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("configs", Struct(&ALTER_CONFIGS_REQUEST_0_ALTERABLE_CONFIG), 0, 255).array(),
], &[]);
static ALTER_CONFIGS_REQUEST_0: StructRow = s(true, 56, &[(0, 5), (2, 3)], &[
    f("resources", Struct(&ALTER_CONFIGS_REQUEST_0_ALTER_CONFIGS_RESOURCE), 0, 255).array(),
    f("validate_only", Bool, 0, 255),
], &[]);
static ALTER_CONFIGS_RESPONSE_0_ALTER_CONFIGS_RESOURCE_RESPONSE: StructRow = s(true, 96, &[(0, 7), (2, 6)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
], &[]);
static ALTER_CONFIGS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("responses", Struct(&ALTER_CONFIGS_RESPONSE_0_ALTER_CONFIGS_RESOURCE_RESPONSE), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_REQUEST_0_ALTER_REPLICA_LOG_DIR_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_REQUEST_0_ALTER_REPLICA_LOG_DIR: StructRow = s(true, 80, &[(0, 6)], &[
    f("path", Text, 0, 255),
    f("topics", Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_0_ALTER_REPLICA_LOG_DIR_TOPIC), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("dirs", Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_0_ALTER_REPLICA_LOG_DIR), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_REQUEST_1_ALTER_REPLICA_LOG_DIR_TOPIC: StructRow = s(true, 80, &[(1, 6), (2, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_REQUEST_1_ALTER_REPLICA_LOG_DIR: StructRow = s(true, 80, &[(1, 6), (2, 3)], &[
    f("path", Text, 0, 255),
    f("topics", Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_1_ALTER_REPLICA_LOG_DIR_TOPIC), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_REQUEST_1: StructRow = s(true, 48, &[(1, 4), (2, 2)], &[
    f("dirs", Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_1_ALTER_REPLICA_LOG_DIR), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_RESPONSE_0_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT: StructRow = s(false, 32, &[(0, 6)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static ALTER_REPLICA_LOG_DIRS_RESPONSE_0_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT: StructRow = s(true, 80, &[(0, 6)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_0_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_0_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_RESPONSE_1_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT: StructRow = s(false, 32, &[(1, 6), (2, 7)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static ALTER_REPLICA_LOG_DIRS_RESPONSE_1_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT: StructRow = s(true, 80, &[(1, 6), (2, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_1_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT), 0, 255).array(),
], &[]);
static ALTER_REPLICA_LOG_DIRS_RESPONSE_1: StructRow = s(true, 56, &[(1, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_1_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT), 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_REQUEST_0_DESCRIBABLE_LOG_DIR_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_REQUEST_0: StructRow = s(true, 48, &[(0, 4)], &[
    f("topics", Struct(&DESCRIBE_LOG_DIRS_REQUEST_0_DESCRIBABLE_LOG_DIR_TOPIC), 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_LOG_DIRS_REQUEST_1_DESCRIBABLE_LOG_DIR_TOPIC: StructRow = s(true, 80, &[(1, 6), (2, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_REQUEST_1: StructRow = s(true, 48, &[(1, 4), (2, 2)], &[
    f("topics", Struct(&DESCRIBE_LOG_DIRS_REQUEST_1_DESCRIBABLE_LOG_DIR_TOPIC), 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_0_DESCRIBE_LOG_DIRS_PARTITION: StructRow = s(false, 48, &[(0, 21)], &[
    f("partition_index", I32, 0, 255),
    f("partition_size", I64, 0, 255),
    f("offset_lag", I64, 0, 255),
    f("is_future_key", Bool, 0, 255),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_0_DESCRIBE_LOG_DIRS_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DESCRIBE_LOG_DIRS_RESPONSE_0_DESCRIBE_LOG_DIRS_PARTITION), 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_0_DESCRIBE_LOG_DIRS_RESULT: StructRow = s(true, 88, &[(0, 8)], &[
    f("error_code", I16, 0, 255),
    f("log_dir", Text, 0, 255),
    f("topics", Struct(&DESCRIBE_LOG_DIRS_RESPONSE_0_DESCRIBE_LOG_DIRS_TOPIC), 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&DESCRIBE_LOG_DIRS_RESPONSE_0_DESCRIBE_LOG_DIRS_RESULT), 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_1_DESCRIBE_LOG_DIRS_PARTITION: StructRow = s(false, 48, &[(1, 21), (2, 22)], &[
    f("partition_index", I32, 0, 255),
    f("partition_size", I64, 0, 255),
    f("offset_lag", I64, 0, 255),
    f("is_future_key", Bool, 0, 255),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_1_DESCRIBE_LOG_DIRS_TOPIC: StructRow = s(true, 80, &[(1, 6), (2, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DESCRIBE_LOG_DIRS_RESPONSE_1_DESCRIBE_LOG_DIRS_PARTITION), 0, 255).array(),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_1_DESCRIBE_LOG_DIRS_RESULT: StructRow = s(true, 104, &[(1, 8), (2, 5), (4, 21), (5, 22)], &[
    f("error_code", I16, 0, 255),
    f("log_dir", Text, 0, 255),
    f("topics", Struct(&DESCRIBE_LOG_DIRS_RESPONSE_1_DESCRIBE_LOG_DIRS_TOPIC), 0, 255).array(),
    f("total_bytes", I64, 4, 255).default(-1),
    f("usable_bytes", I64, 4, 255).default(-1),
    f("is_cordoned", Bool, 5, 255),
], &[]);
static DESCRIBE_LOG_DIRS_RESPONSE_1: StructRow = s(true, 56, &[(1, 8), (2, 6), (3, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 3, 255),
    f("results", Struct(&DESCRIBE_LOG_DIRS_RESPONSE_1_DESCRIBE_LOG_DIRS_RESULT), 0, 255).array(),
], &[]);
static SASL_AUTHENTICATE_REQUEST_0: StructRow = s(false, 56, &[(0, 4), (2, 2)], &[
    f("auth_bytes", Bytes, 0, 255),
], &[]);
static SASL_AUTHENTICATE_RESPONSE_0: StructRow = s(false, 104, &[(0, 8), (1, 16), (2, 13)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("auth_bytes", Bytes, 0, 255),
    f("session_lifetime_ms", I64, 1, 255),
], &[]);
static CREATE_PARTITIONS_REQUEST_0_CREATE_PARTITIONS_ASSIGNMENT: StructRow = s(false, 48, &[(0, 4), (2, 2)], &[
    f("broker_ids", I32, 0, 255).array(),
], &[]);
static CREATE_PARTITIONS_REQUEST_0_CREATE_PARTITIONS_TOPIC: StructRow = s(true, 88, &[(0, 10), (2, 7)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("count", I32, 0, 255),
    f("assignments", Struct(&CREATE_PARTITIONS_REQUEST_0_CREATE_PARTITIONS_ASSIGNMENT), 0, 255).array().nullable(0, 255),
], &[]);
static CREATE_PARTITIONS_REQUEST_0: StructRow = s(true, 56, &[(0, 9), (2, 7)], &[
    f("topics", Struct(&CREATE_PARTITIONS_REQUEST_0_CREATE_PARTITIONS_TOPIC), 0, 255).array(),
    f("timeout_ms", I32, 0, 255),
    f("validate_only", Bool, 0, 255),
], &[]);
static CREATE_PARTITIONS_RESPONSE_0_CREATE_PARTITIONS_TOPIC_RESULT: StructRow = s(true, 96, &[(0, 6), (2, 5)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static CREATE_PARTITIONS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&CREATE_PARTITIONS_RESPONSE_0_CREATE_PARTITIONS_TOPIC_RESULT), 0, 255).array(),
], &[]);
static CREATE_DELEGATION_TOKEN_REQUEST_0_CREATABLE_RENEWERS: StructRow = s(false, 88, &[(0, 4)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
], &[]);
static CREATE_DELEGATION_TOKEN_REQUEST_0: StructRow = s(false, 56, &[(0, 12)], &[
    f("renewers", Struct(&CREATE_DELEGATION_TOKEN_REQUEST_0_CREATABLE_RENEWERS), 0, 255).array(),
    f("max_lifetime_ms", I64, 0, 255),
], &[]);
static CREATE_DELEGATION_TOKEN_REQUEST_1_CREATABLE_RENEWERS: StructRow = s(false, 88, &[(1, 4), (2, 3)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
], &[]);
static CREATE_DELEGATION_TOKEN_REQUEST_1: StructRow = s(false, 120, &[(1, 12), (2, 10), (3, 12)], &[
    f("owner_principal_type", Text, 3, 255).nullable(3, 255),
    f("owner_principal_name", Text, 3, 255).nullable(3, 255),
    f("renewers", Struct(&CREATE_DELEGATION_TOKEN_REQUEST_1_CREATABLE_RENEWERS), 0, 255).array(),
    f("max_lifetime_ms", I64, 0, 255),
], &[]);
static CREATE_DELEGATION_TOKEN_RESPONSE_0: StructRow = s(false, 184, &[(0, 40)], &[
    f("error_code", I16, 0, 255),
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
    f("issue_timestamp_ms", I64, 0, 255),
    f("expiry_timestamp_ms", I64, 0, 255),
    f("max_timestamp_ms", I64, 0, 255),
    f("token_id", Text, 0, 255),
    f("hmac", Bytes, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static CREATE_DELEGATION_TOKEN_RESPONSE_1: StructRow = s(false, 248, &[(1, 40), (2, 35), (3, 37)], &[
    f("error_code", I16, 0, 255),
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
    f("token_requester_principal_type", Text, 3, 255),
    f("token_requester_principal_name", Text, 3, 255),
    f("issue_timestamp_ms", I64, 0, 255),
    f("expiry_timestamp_ms", I64, 0, 255),
    f("max_timestamp_ms", I64, 0, 255),
    f("token_id", Text, 0, 255),
    f("hmac", Bytes, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static RENEW_DELEGATION_TOKEN_REQUEST_0: StructRow = s(false, 64, &[(0, 12)], &[
    f("hmac", Bytes, 0, 255),
    f("renew_period_ms", I64, 0, 255),
], &[]);
static RENEW_DELEGATION_TOKEN_REQUEST_1: StructRow = s(false, 64, &[(1, 12), (2, 10)], &[
    f("hmac", Bytes, 0, 255),
    f("renew_period_ms", I64, 0, 255),
], &[]);
static RENEW_DELEGATION_TOKEN_RESPONSE_0: StructRow = s(false, 40, &[(0, 14)], &[
    f("error_code", I16, 0, 255),
    f("expiry_timestamp_ms", I64, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static RENEW_DELEGATION_TOKEN_RESPONSE_1: StructRow = s(false, 40, &[(1, 14), (2, 15)], &[
    f("error_code", I16, 0, 255),
    f("expiry_timestamp_ms", I64, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static EXPIRE_DELEGATION_TOKEN_REQUEST_0: StructRow = s(false, 64, &[(0, 12)], &[
    f("hmac", Bytes, 0, 255),
    f("expiry_time_period_ms", I64, 0, 255),
], &[]);
static EXPIRE_DELEGATION_TOKEN_REQUEST_1: StructRow = s(false, 64, &[(1, 12), (2, 10)], &[
    f("hmac", Bytes, 0, 255),
    f("expiry_time_period_ms", I64, 0, 255),
], &[]);
static EXPIRE_DELEGATION_TOKEN_RESPONSE_0: StructRow = s(false, 40, &[(0, 14)], &[
    f("error_code", I16, 0, 255),
    f("expiry_timestamp_ms", I64, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static EXPIRE_DELEGATION_TOKEN_RESPONSE_1: StructRow = s(false, 40, &[(1, 14), (2, 15)], &[
    f("error_code", I16, 0, 255),
    f("expiry_timestamp_ms", I64, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_REQUEST_0_DESCRIBE_DELEGATION_TOKEN_OWNER: StructRow = s(false, 88, &[(0, 4)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_REQUEST_0: StructRow = s(false, 48, &[(0, 4)], &[
    f("owners", Struct(&DESCRIBE_DELEGATION_TOKEN_REQUEST_0_DESCRIBE_DELEGATION_TOKEN_OWNER), 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_REQUEST_1_DESCRIBE_DELEGATION_TOKEN_OWNER: StructRow = s(false, 88, &[(1, 4), (2, 3)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_REQUEST_1: StructRow = s(false, 48, &[(1, 4), (2, 2)], &[
    f("owners", Struct(&DESCRIBE_DELEGATION_TOKEN_REQUEST_1_DESCRIBE_DELEGATION_TOKEN_OWNER), 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_RESPONSE_0_DESCRIBED_DELEGATION_TOKEN_RENEWER: StructRow = s(false, 88, &[(0, 4)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_RESPONSE_0_DESCRIBED_DELEGATION_TOKEN: StructRow = s(false, 200, &[(0, 38)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
    f("issue_timestamp", I64, 0, 255),
    f("expiry_timestamp", I64, 0, 255),
    f("max_timestamp", I64, 0, 255),
    f("token_id", Text, 0, 255),
    f("hmac", Bytes, 0, 255),
    f("renewers", Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_0_DESCRIBED_DELEGATION_TOKEN_RENEWER), 0, 255).array(),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_RESPONSE_0: StructRow = s(false, 56, &[(0, 10)], &[
    f("error_code", I16, 0, 255),
    f("tokens", Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_0_DESCRIBED_DELEGATION_TOKEN), 0, 255).array(),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_RESPONSE_1_DESCRIBED_DELEGATION_TOKEN_RENEWER: StructRow = s(false, 88, &[(1, 4), (2, 3)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_RESPONSE_1_DESCRIBED_DELEGATION_TOKEN: StructRow = s(false, 264, &[(1, 38), (2, 30), (3, 32)], &[
    f("principal_type", Text, 0, 255),
    f("principal_name", Text, 0, 255),
    f("token_requester_principal_type", Text, 3, 255),
    f("token_requester_principal_name", Text, 3, 255),
    f("issue_timestamp", I64, 0, 255),
    f("expiry_timestamp", I64, 0, 255),
    f("max_timestamp", I64, 0, 255),
    f("token_id", Text, 0, 255),
    f("hmac", Bytes, 0, 255),
    f("renewers", Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_1_DESCRIBED_DELEGATION_TOKEN_RENEWER), 0, 255).array(),
], &[]);
static DESCRIBE_DELEGATION_TOKEN_RESPONSE_1: StructRow = s(false, 56, &[(1, 10), (2, 8)], &[
    f("error_code", I16, 0, 255),
    f("tokens", Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_1_DESCRIBED_DELEGATION_TOKEN), 0, 255).array(),
    f("throttle_time_ms", I32, 0, 255),
], &[]);
static DELETE_GROUPS_REQUEST_0: StructRow = s(true, 48, &[(0, 4), (2, 2)], &[
    f("groups_names", Text, 0, 255).array().mark(GroupId),
], &[]);
static DELETE_GROUPS_RESPONSE_0_DELETABLE_GROUP_RESULT: StructRow = s(true, 96, &[(0, 4), (3, 5)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 3, 255).nullable(3, 255).default_null(),
], &[]);
static DELETE_GROUPS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (2, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&DELETE_GROUPS_RESPONSE_0_DELETABLE_GROUP_RESULT), 0, 255).array(),
], &[]);
static ELECT_LEADERS_REQUEST_0_TOPIC_PARTITIONS: StructRow = s(true, 80, &[(0, 6), (2, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static ELECT_LEADERS_REQUEST_0: StructRow = s(true, 56, &[(0, 8), (1, 9), (2, 7)], &[
    f("election_type", I8, 1, 255),
    f("topic_partitions", Struct(&ELECT_LEADERS_REQUEST_0_TOPIC_PARTITIONS), 0, 255).array().nullable(0, 255),
    f("timeout_ms", I32, 0, 255).default(60000),
], &[]);
static ELECT_LEADERS_RESPONSE_0_PARTITION_RESULT: StructRow = s(false, 64, &[(0, 8)], &[
    f("partition_id", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static ELECT_LEADERS_RESPONSE_0_REPLICA_ELECTION_RESULT: StructRow = s(true, 80, &[(0, 6), (2, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partition_result", Struct(&ELECT_LEADERS_RESPONSE_0_PARTITION_RESULT), 0, 255).array(),
], &[]);
static ELECT_LEADERS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (1, 10), (2, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 1, 255),
    f("replica_election_results", Struct(&ELECT_LEADERS_RESPONSE_0_REPLICA_ELECTION_RESULT), 0, 255).array(),
], &[]);
static INCREMENTAL_ALTER_CONFIGS_REQUEST_0_ALTERABLE_CONFIG: StructRow = s(false, 96, &[(0, 5), (1, 4)], &[
    f("name", Text, 0, 255),
    f("config_operation", I8, 0, 255),
    f("value", Text, 0, 255).nullable(0, 255),
], &[]);
static INCREMENTAL_ALTER_CONFIGS_REQUEST_0_ALTER_CONFIGS_RESOURCE: StructRow = s(true, 88, &[(0, 7), (1, 4)], &[
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("configs", Struct(&INCREMENTAL_ALTER_CONFIGS_REQUEST_0_ALTERABLE_CONFIG), 0, 255).array(),
], &[]);
static INCREMENTAL_ALTER_CONFIGS_REQUEST_0: StructRow = s(true, 56, &[(0, 5), (1, 3)], &[
    f("resources", Struct(&INCREMENTAL_ALTER_CONFIGS_REQUEST_0_ALTER_CONFIGS_RESOURCE), 0, 255).array(),
    f("validate_only", Bool, 0, 255),
], &[]);
static INCREMENTAL_ALTER_CONFIGS_RESPONSE_0_ALTER_CONFIGS_RESOURCE_RESPONSE: StructRow = s(true, 96, &[(0, 7), (1, 6)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("resource_type", I8, 0, 255),
    f("resource_name", Text, 0, 255).mark(ConfigResource),
], &[]);
static INCREMENTAL_ALTER_CONFIGS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8), (1, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("responses", Struct(&INCREMENTAL_ALTER_CONFIGS_RESPONSE_0_ALTER_CONFIGS_RESOURCE_RESPONSE), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REASSIGNMENTS_REQUEST_0_REASSIGNABLE_PARTITION: StructRow = s(false, 56, &[(0, 6)], &[
    f("partition_index", I32, 0, 255),
    f("replicas", I32, 0, 255).array().nullable(0, 255).default_null(),
], &[]);
static ALTER_PARTITION_REASSIGNMENTS_REQUEST_0_REASSIGNABLE_TOPIC: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&ALTER_PARTITION_REASSIGNMENTS_REQUEST_0_REASSIGNABLE_PARTITION), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REASSIGNMENTS_REQUEST_0: StructRow = s(true, 56, &[(0, 6), (1, 7)], &[
    f("timeout_ms", I32, 0, 255).default(60000),
    f("allow_replication_factor_change", Bool, 1, 255).default(1),
    f("topics", Struct(&ALTER_PARTITION_REASSIGNMENTS_REQUEST_0_REASSIGNABLE_TOPIC), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_0_REASSIGNABLE_PARTITION_RESPONSE: StructRow = s(false, 64, &[(0, 8)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_0_REASSIGNABLE_TOPIC_RESPONSE: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&ALTER_PARTITION_REASSIGNMENTS_RESPONSE_0_REASSIGNABLE_PARTITION_RESPONSE), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_0: StructRow = s(true, 88, &[(0, 9), (1, 10)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("allow_replication_factor_change", Bool, 1, 255).default(1),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("responses", Struct(&ALTER_PARTITION_REASSIGNMENTS_RESPONSE_0_REASSIGNABLE_TOPIC_RESPONSE), 0, 255).array(),
], &[]);
static LIST_PARTITION_REASSIGNMENTS_REQUEST_0_LIST_PARTITION_REASSIGNMENTS_TOPICS: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partition_indexes", I32, 0, 255).array(),
], &[]);
static LIST_PARTITION_REASSIGNMENTS_REQUEST_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("timeout_ms", I32, 0, 255).default(60000),
    f("topics", Struct(&LIST_PARTITION_REASSIGNMENTS_REQUEST_0_LIST_PARTITION_REASSIGNMENTS_TOPICS), 0, 255).array().nullable(0, 255).default_null(),
], &[]);
static LIST_PARTITION_REASSIGNMENTS_RESPONSE_0_ONGOING_PARTITION_REASSIGNMENT: StructRow = s(false, 104, &[(0, 8)], &[
    f("partition_index", I32, 0, 255),
    f("replicas", I32, 0, 255).array(),
    f("adding_replicas", I32, 0, 255).array(),
    f("removing_replicas", I32, 0, 255).array(),
], &[]);
static LIST_PARTITION_REASSIGNMENTS_RESPONSE_0_ONGOING_TOPIC_REASSIGNMENT: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&LIST_PARTITION_REASSIGNMENTS_RESPONSE_0_ONGOING_PARTITION_REASSIGNMENT), 0, 255).array(),
], &[]);
static LIST_PARTITION_REASSIGNMENTS_RESPONSE_0: StructRow = s(true, 88, &[(0, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("topics", Struct(&LIST_PARTITION_REASSIGNMENTS_RESPONSE_0_ONGOING_TOPIC_REASSIGNMENT), 0, 255).array(),
], &[]);
static OFFSET_DELETE_REQUEST_0_OFFSET_DELETE_REQUEST_PARTITION: StructRow = s(false, 32, &[(0, 4)], &[
    f("partition_index", I32, 0, 255),
], &[]);
static OFFSET_DELETE_REQUEST_0_OFFSET_DELETE_REQUEST_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_DELETE_REQUEST_0_OFFSET_DELETE_REQUEST_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_DELETE_REQUEST_0: StructRow = s(true, 80, &[(0, 6)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&OFFSET_DELETE_REQUEST_0_OFFSET_DELETE_REQUEST_TOPIC), 0, 255).array(),
], &[]);
static OFFSET_DELETE_RESPONSE_0_OFFSET_DELETE_RESPONSE_PARTITION: StructRow = s(false, 32, &[(0, 6)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static OFFSET_DELETE_RESPONSE_0_OFFSET_DELETE_RESPONSE_TOPIC: StructRow = s(true, 80, &[(0, 6)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&OFFSET_DELETE_RESPONSE_0_OFFSET_DELETE_RESPONSE_PARTITION), 0, 255).array(),
], &[]);
static OFFSET_DELETE_RESPONSE_0: StructRow = s(true, 56, &[(0, 10)], &[
    f("error_code", I16, 0, 255),
    f("throttle_time_ms", I32, 0, 255),
    f("topics", Struct(&OFFSET_DELETE_RESPONSE_0_OFFSET_DELETE_RESPONSE_TOPIC), 0, 255).array(),
], &[]);
static DESCRIBE_CLIENT_QUOTAS_REQUEST_0_COMPONENT_DATA: StructRow = s(false, 96, &[(0, 5), (1, 4)], &[
    f("entity_type", Text, 0, 255),
    f("match_type", I8, 0, 255),
    f("match", Text, 0, 255).nullable(0, 255),
], &[]);
static DESCRIBE_CLIENT_QUOTAS_REQUEST_0: StructRow = s(false, 56, &[(0, 5), (1, 3)], &[
    f("components", Struct(&DESCRIBE_CLIENT_QUOTAS_REQUEST_0_COMPONENT_DATA), 0, 255).array(),
    f("strict", Bool, 0, 255),
], &[]);
static DESCRIBE_CLIENT_QUOTAS_RESPONSE_0_ENTITY_DATA: StructRow = s(false, 88, &[(0, 4), (1, 3)], &[
    f("entity_type", Text, 0, 255),
    f("entity_name", Text, 0, 255).nullable(0, 255),
], &[]);
static DESCRIBE_CLIENT_QUOTAS_RESPONSE_0_VALUE_DATA: StructRow = s(false, 64, &[(0, 10)], &[
    f("key", Text, 0, 255),
    f("value", F64, 0, 255),
], &[]);
static DESCRIBE_CLIENT_QUOTAS_RESPONSE_0_ENTRY_DATA: StructRow = s(false, 72, &[(0, 8), (1, 3)], &[
    f("entity", Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_0_ENTITY_DATA), 0, 255).array(),
    f("values", Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_0_VALUE_DATA), 0, 255).array(),
], &[]);
static DESCRIBE_CLIENT_QUOTAS_RESPONSE_0: StructRow = s(false, 88, &[(0, 12), (1, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("entries", Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_0_ENTRY_DATA), 0, 255).array().nullable(0, 255),
], &[]);
static ALTER_CLIENT_QUOTAS_REQUEST_0_ENTITY_DATA: StructRow = s(false, 88, &[(0, 4), (1, 3)], &[
    f("entity_type", Text, 0, 255),
    f("entity_name", Text, 0, 255).nullable(0, 255),
], &[]);
static ALTER_CLIENT_QUOTAS_REQUEST_0_OP_DATA: StructRow = s(false, 72, &[(0, 11)], &[
    f("key", Text, 0, 255),
    f("value", F64, 0, 255),
    f("remove", Bool, 0, 255),
], &[]);
static ALTER_CLIENT_QUOTAS_REQUEST_0_ENTRY_DATA: StructRow = s(false, 72, &[(0, 8), (1, 3)], &[
    f("entity", Struct(&ALTER_CLIENT_QUOTAS_REQUEST_0_ENTITY_DATA), 0, 255).array(),
    f("ops", Struct(&ALTER_CLIENT_QUOTAS_REQUEST_0_OP_DATA), 0, 255).array(),
], &[]);
static ALTER_CLIENT_QUOTAS_REQUEST_0: StructRow = s(false, 56, &[(0, 5), (1, 3)], &[
    f("entries", Struct(&ALTER_CLIENT_QUOTAS_REQUEST_0_ENTRY_DATA), 0, 255).array(),
    f("validate_only", Bool, 0, 255),
], &[]);
static ALTER_CLIENT_QUOTAS_RESPONSE_0_ENTITY_DATA: StructRow = s(false, 88, &[(0, 4), (1, 3)], &[
    f("entity_type", Text, 0, 255),
    f("entity_name", Text, 0, 255).nullable(0, 255),
], &[]);
static ALTER_CLIENT_QUOTAS_RESPONSE_0_ENTRY_DATA: StructRow = s(false, 88, &[(0, 8), (1, 5)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("entity", Struct(&ALTER_CLIENT_QUOTAS_RESPONSE_0_ENTITY_DATA), 0, 255).array(),
], &[]);
static ALTER_CLIENT_QUOTAS_RESPONSE_0: StructRow = s(false, 56, &[(0, 8), (1, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("entries", Struct(&ALTER_CLIENT_QUOTAS_RESPONSE_0_ENTRY_DATA), 0, 255).array(),
], &[]);
static DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_0_USER_NAME: StructRow = s(false, 56, &[(0, 2)], &[
    f("name", Text, 0, 255),
], &[]);
static DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_0: StructRow = s(false, 48, &[(0, 2)], &[
    f("users", Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_0_USER_NAME), 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_0_CREDENTIAL_INFO: StructRow = s(false, 32, &[(0, 6)], &[
    f("mechanism", I8, 0, 255),
    f("iterations", I32, 0, 255),
], &[]);
static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_0_DESCRIBE_USER_SCRAM_CREDENTIALS_RESULT: StructRow = s(false, 120, &[(0, 6)], &[
    f("user", Text, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("credential_infos", Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_0_CREDENTIAL_INFO), 0, 255).array(),
], &[]);
static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_0: StructRow = s(false, 88, &[(0, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("results", Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_0_DESCRIBE_USER_SCRAM_CREDENTIALS_RESULT), 0, 255).array(),
], &[]);
static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_0_SCRAM_CREDENTIAL_DELETION: StructRow = s(false, 64, &[(0, 3)], &[
    f("name", Text, 0, 255),
    f("mechanism", I8, 0, 255),
], &[]);
static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_0_SCRAM_CREDENTIAL_UPSERTION: StructRow = s(false, 128, &[(0, 9)], &[
    f("name", Text, 0, 255),
    f("mechanism", I8, 0, 255),
    f("iterations", I32, 0, 255),
    f("salt", Bytes, 0, 255),
    f("salted_password", Bytes, 0, 255),
], &[]);
static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_0: StructRow = s(false, 72, &[(0, 3)], &[
    f("deletions", Struct(&ALTER_USER_SCRAM_CREDENTIALS_REQUEST_0_SCRAM_CREDENTIAL_DELETION), 0, 255).array(),
    f("upsertions", Struct(&ALTER_USER_SCRAM_CREDENTIALS_REQUEST_0_SCRAM_CREDENTIAL_UPSERTION), 0, 255).array(),
], &[]);
static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_0_ALTER_USER_SCRAM_CREDENTIALS_RESULT: StructRow = s(false, 96, &[(0, 5)], &[
    f("user", Text, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_0: StructRow = s(false, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("results", Struct(&ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_0_ALTER_USER_SCRAM_CREDENTIALS_RESULT), 0, 255).array(),
], &[]);
static VOTE_REQUEST_0_PARTITION_DATA: StructRow = s(false, 88, &[(0, 25), (1, 57), (2, 58)], &[
    f("partition_index", I32, 0, 255),
    f("replica_epoch", I32, 0, 255),
    f("replica_id", I32, 0, 255),
    f("replica_directory_id", Uuid, 1, 255),
    f("voter_directory_id", Uuid, 1, 255),
    f("last_offset_epoch", I32, 0, 255),
    f("last_offset", I64, 0, 255),
    f("pre_vote", Bool, 2, 255),
], &[]);
static VOTE_REQUEST_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&VOTE_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static VOTE_REQUEST_0: StructRow = s(true, 88, &[(0, 3), (1, 7)], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("voter_id", I32, 1, 255).default(-1),
    f("topics", Struct(&VOTE_REQUEST_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static VOTE_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 40, &[(0, 16)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("vote_granted", Bool, 0, 255),
], &[]);
static VOTE_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&VOTE_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static VOTE_RESPONSE_0_NODE_ENDPOINT: StructRow = s(false, 64, &[(0, 1), (1, 8)], &[
    f("node_id", I32, 1, 255),
    f("host", Text, 1, 255),
    f("port", U16, 1, 255),
], &[]);
static VOTE_RESPONSE_0: StructRow = s(true, 80, &[(0, 4)], &[
    f("error_code", I16, 0, 255),
    f("topics", Struct(&VOTE_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
], &[
    f("node_endpoints", Struct(&VOTE_RESPONSE_0_NODE_ENDPOINT), 1, 255).array().tagged(0),
]);
static BEGIN_QUORUM_EPOCH_REQUEST_0_PARTITION_DATA: StructRow = s(false, 56, &[(0, 12), (1, 29)], &[
    f("partition_index", I32, 0, 255),
    f("voter_directory_id", Uuid, 1, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static BEGIN_QUORUM_EPOCH_REQUEST_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 6), (1, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&BEGIN_QUORUM_EPOCH_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static BEGIN_QUORUM_EPOCH_REQUEST_0_LEADER_ENDPOINT: StructRow = s(false, 96, &[(0, 1), (1, 5)], &[
    f("name", Text, 1, 255),
    f("host", Text, 1, 255),
    f("port", U16, 1, 255),
], &[]);
static BEGIN_QUORUM_EPOCH_REQUEST_0: StructRow = s(true, 112, &[(0, 6), (1, 8)], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("voter_id", I32, 1, 255).default(-1),
    f("topics", Struct(&BEGIN_QUORUM_EPOCH_REQUEST_0_TOPIC_DATA), 0, 255).array(),
    f("leader_endpoints", Struct(&BEGIN_QUORUM_EPOCH_REQUEST_0_LEADER_ENDPOINT), 1, 255).array(),
], &[]);
static BEGIN_QUORUM_EPOCH_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 40, &[(0, 14), (1, 15)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static BEGIN_QUORUM_EPOCH_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 6), (1, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static BEGIN_QUORUM_EPOCH_RESPONSE_0_NODE_ENDPOINT: StructRow = s(false, 64, &[(0, 1), (1, 8)], &[
    f("node_id", I32, 1, 255),
    f("host", Text, 1, 255),
    f("port", U16, 1, 255),
], &[]);
static BEGIN_QUORUM_EPOCH_RESPONSE_0: StructRow = s(true, 80, &[(0, 6), (1, 4)], &[
    f("error_code", I16, 0, 255),
    f("topics", Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
], &[
    f("node_endpoints", Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_0_NODE_ENDPOINT), 1, 255).array().tagged(0),
]);
static END_QUORUM_EPOCH_REQUEST_0_REPLICA_INFO: StructRow = s(false, 48, &[(0, 1), (1, 21)], &[
    f("candidate_id", I32, 1, 255),
    f("candidate_directory_id", Uuid, 1, 255),
], &[]);
static END_QUORUM_EPOCH_REQUEST_0_PARTITION_DATA: StructRow = s(false, 88, &[(0, 16), (1, 14)], &[
    f("partition_index", I32, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("preferred_successors", I32, 0, 0).array(),
    f("preferred_candidates", Struct(&END_QUORUM_EPOCH_REQUEST_0_REPLICA_INFO), 1, 255).array(),
], &[]);
static END_QUORUM_EPOCH_REQUEST_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 6), (1, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&END_QUORUM_EPOCH_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static END_QUORUM_EPOCH_REQUEST_0_LEADER_ENDPOINT: StructRow = s(false, 96, &[(0, 1), (1, 5)], &[
    f("name", Text, 1, 255),
    f("host", Text, 1, 255),
    f("port", U16, 1, 255),
], &[]);
static END_QUORUM_EPOCH_REQUEST_0: StructRow = s(true, 104, &[(0, 6), (1, 4)], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("topics", Struct(&END_QUORUM_EPOCH_REQUEST_0_TOPIC_DATA), 0, 255).array(),
    f("leader_endpoints", Struct(&END_QUORUM_EPOCH_REQUEST_0_LEADER_ENDPOINT), 1, 255).array(),
], &[]);
static END_QUORUM_EPOCH_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 40, &[(0, 14), (1, 15)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static END_QUORUM_EPOCH_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 6), (1, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&END_QUORUM_EPOCH_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static END_QUORUM_EPOCH_RESPONSE_0_NODE_ENDPOINT: StructRow = s(false, 64, &[(0, 1), (1, 8)], &[
    f("node_id", I32, 1, 255),
    f("host", Text, 1, 255),
    f("port", U16, 1, 255),
], &[]);
static END_QUORUM_EPOCH_RESPONSE_0: StructRow = s(true, 80, &[(0, 6), (1, 4)], &[
    f("error_code", I16, 0, 255),
    f("topics", Struct(&END_QUORUM_EPOCH_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
], &[
    f("node_endpoints", Struct(&END_QUORUM_EPOCH_RESPONSE_0_NODE_ENDPOINT), 1, 255).array().tagged(0),
]);
static DESCRIBE_QUORUM_REQUEST_0_PARTITION_DATA: StructRow = s(false, 32, &[(0, 5)], &[
    f("partition_index", I32, 0, 255),
], &[]);
static DESCRIBE_QUORUM_REQUEST_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DESCRIBE_QUORUM_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static DESCRIBE_QUORUM_REQUEST_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("topics", Struct(&DESCRIBE_QUORUM_REQUEST_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static DESCRIBE_QUORUM_RESPONSE_0_REPLICA_STATE: StructRow = s(false, 72, &[(0, 13), (1, 29), (2, 45)], &[
    f("replica_id", I32, 0, 255),
    f("replica_directory_id", Uuid, 2, 255),
    f("log_end_offset", I64, 0, 255),
    f("last_fetch_timestamp", I64, 1, 255).default(-1),
    f("last_caught_up_timestamp", I64, 1, 255).default(-1),
], &[]);
static DESCRIBE_QUORUM_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 128, &[(0, 25), (2, 26)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 2, 255).nullable(2, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("high_watermark", I64, 0, 255),
    f("current_voters", Struct(&DESCRIBE_QUORUM_RESPONSE_0_REPLICA_STATE), 0, 255).array(),
    f("observers", Struct(&DESCRIBE_QUORUM_RESPONSE_0_REPLICA_STATE), 0, 255).array(),
], &[]);
static DESCRIBE_QUORUM_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DESCRIBE_QUORUM_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static DESCRIBE_QUORUM_RESPONSE_0_LISTENER: StructRow = s(false, 96, &[(0, 1), (2, 5)], &[
    f("name", Text, 2, 255),
    f("host", Text, 2, 255),
    f("port", U16, 2, 255),
], &[]);
static DESCRIBE_QUORUM_RESPONSE_0_NODE: StructRow = s(false, 56, &[(0, 1), (2, 6)], &[
    f("node_id", I32, 2, 255),
    f("listeners", Struct(&DESCRIBE_QUORUM_RESPONSE_0_LISTENER), 2, 255).array(),
], &[]);
static DESCRIBE_QUORUM_RESPONSE_0: StructRow = s(true, 112, &[(0, 4), (2, 6)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 2, 255).nullable(2, 255),
    f("topics", Struct(&DESCRIBE_QUORUM_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
    f("nodes", Struct(&DESCRIBE_QUORUM_RESPONSE_0_NODE), 2, 255).array(),
], &[]);
static ALTER_PARTITION_REQUEST_0_PARTITION_DATA: StructRow = s(false, 64, &[(0, 14), (1, 15)], &[
    f("partition_index", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("new_isr", I32, 0, 2).array(),
    f("leader_recovery_state", I8, 1, 255),
    f("partition_epoch", I32, 0, 255),
], &[]);
static ALTER_PARTITION_REQUEST_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 1).mark(TopicName),
    f("partitions", Struct(&ALTER_PARTITION_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REQUEST_0: StructRow = s(true, 64, &[(0, 14)], &[
    f("broker_id", I32, 0, 255),
    f("broker_epoch", I64, 0, 255).default(-1),
    f("topics", Struct(&ALTER_PARTITION_REQUEST_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REQUEST_2_BROKER_STATE: StructRow = s(false, 40, &[(2, 1), (3, 13)], &[
    f("broker_id", I32, 3, 255),
    f("broker_epoch", I64, 3, 255).default(-1),
], &[]);
static ALTER_PARTITION_REQUEST_2_PARTITION_DATA: StructRow = s(false, 88, &[(2, 15)], &[
    f("partition_index", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("new_isr", I32, 0, 2).array(),
    f("new_isr_with_epochs", Struct(&ALTER_PARTITION_REQUEST_2_BROKER_STATE), 3, 255).array(),
    f("leader_recovery_state", I8, 1, 255),
    f("partition_epoch", I32, 0, 255),
], &[]);
static ALTER_PARTITION_REQUEST_2_TOPIC_DATA: StructRow = s(true, 64, &[(2, 18)], &[
    f("topic_id", Uuid, 2, 255).mark(TopicId),
    f("partitions", Struct(&ALTER_PARTITION_REQUEST_2_PARTITION_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_REQUEST_2: StructRow = s(true, 64, &[(2, 14)], &[
    f("broker_id", I32, 0, 255),
    f("broker_epoch", I64, 0, 255).default(-1),
    f("topics", Struct(&ALTER_PARTITION_REQUEST_2_TOPIC_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 72, &[(0, 20), (1, 21)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("isr", I32, 0, 255).array(),
    f("leader_recovery_state", I8, 1, 255),
    f("partition_epoch", I32, 0, 255),
], &[]);
static ALTER_PARTITION_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 1).mark(TopicName),
    f("partitions", Struct(&ALTER_PARTITION_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("topics", Struct(&ALTER_PARTITION_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_RESPONSE_2_PARTITION_DATA: StructRow = s(false, 72, &[(2, 21)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("isr", I32, 0, 255).array(),
    f("leader_recovery_state", I8, 1, 255),
    f("partition_epoch", I32, 0, 255),
], &[]);
static ALTER_PARTITION_RESPONSE_2_TOPIC_DATA: StructRow = s(true, 64, &[(2, 18)], &[
    f("topic_id", Uuid, 2, 255).mark(TopicId),
    f("partitions", Struct(&ALTER_PARTITION_RESPONSE_2_PARTITION_DATA), 0, 255).array(),
], &[]);
static ALTER_PARTITION_RESPONSE_2: StructRow = s(true, 56, &[(2, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("topics", Struct(&ALTER_PARTITION_RESPONSE_2_TOPIC_DATA), 0, 255).array(),
], &[]);
static UPDATE_FEATURES_REQUEST_0_FEATURE_UPDATE_KEY: StructRow = s(false, 64, &[(0, 5)], &[
    f("feature", Text, 0, 255),
    f("max_version_level", I16, 0, 255),
    f("allow_downgrade", Bool, 0, 0),
    f("upgrade_type", I8, 1, 255).default(1),
], &[]);
static UPDATE_FEATURES_REQUEST_0: StructRow = s(false, 56, &[(0, 6), (1, 7)], &[
    f("timeout_ms", I32, 0, 255).default(60000),
    f("feature_updates", Struct(&UPDATE_FEATURES_REQUEST_0_FEATURE_UPDATE_KEY), 0, 255).array(),
    f("validate_only", Bool, 1, 255),
], &[]);
static UPDATE_FEATURES_RESPONSE_0_UPDATABLE_FEATURE_RESULT: StructRow = s(false, 96, &[(0, 5)], &[
    f("feature", Text, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static UPDATE_FEATURES_RESPONSE_0: StructRow = s(false, 88, &[(0, 9), (2, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
    f("results", Struct(&UPDATE_FEATURES_RESPONSE_0_UPDATABLE_FEATURE_RESULT), 0, 1).array(),
], &[]);
static ENVELOPE_REQUEST_0: StructRow = s(false, 120, &[(0, 4)], &[
    f("request_data", Bytes, 0, 255),
    f("request_principal", Bytes, 0, 255).nullable(0, 255),
    f("client_host_address", Bytes, 0, 255),
], &[]);
static ENVELOPE_RESPONSE_0: StructRow = s(false, 64, &[(0, 4)], &[
    f("response_data", Bytes, 0, 255).nullable(0, 255).default_null(),
    f("error_code", I16, 0, 255),
], &[]);
static FETCH_SNAPSHOT_REQUEST_0_SNAPSHOT_ID: StructRow = s(false, 40, &[(0, 13)], &[
    f("end_offset", I64, 0, 255),
    f("epoch", I32, 0, 255),
], &[]);
static FETCH_SNAPSHOT_REQUEST_0_PARTITION_SNAPSHOT: StructRow = s(false, 96, &[(0, 30)], &[
    f("partition", I32, 0, 255),
    f("current_leader_epoch", I32, 0, 255),
    f("snapshot_id", Struct(&FETCH_SNAPSHOT_REQUEST_0_SNAPSHOT_ID), 0, 255),
    f("position", I64, 0, 255),
], &[
    f("replica_directory_id", Uuid, 1, 255).tagged(0),
]);
static FETCH_SNAPSHOT_REQUEST_0_TOPIC_SNAPSHOT: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&FETCH_SNAPSHOT_REQUEST_0_PARTITION_SNAPSHOT), 0, 255).array(),
], &[]);
static FETCH_SNAPSHOT_REQUEST_0: StructRow = s(true, 88, &[(0, 10)], &[
    f("replica_id", I32, 0, 255).default(-1),
    f("max_bytes", I32, 0, 255).default(2147483647),
    f("topics", Struct(&FETCH_SNAPSHOT_REQUEST_0_TOPIC_SNAPSHOT), 0, 255).array(),
], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255).tagged(0).default_null(),
]);
static FETCH_SNAPSHOT_RESPONSE_0_SNAPSHOT_ID: StructRow = s(false, 40, &[(0, 13)], &[
    f("end_offset", I64, 0, 255),
    f("epoch", I32, 0, 255),
], &[]);
static FETCH_SNAPSHOT_RESPONSE_0_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(0, 9)], &[
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static FETCH_SNAPSHOT_RESPONSE_0_PARTITION_SNAPSHOT: StructRow = s(false, 152, &[(0, 37)], &[
    f("index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("snapshot_id", Struct(&FETCH_SNAPSHOT_RESPONSE_0_SNAPSHOT_ID), 0, 255),
    f("size", I64, 0, 255),
    f("position", I64, 0, 255),
    f("unaligned_records", Bytes, 0, 255),
], &[
    f("current_leader", Struct(&FETCH_SNAPSHOT_RESPONSE_0_LEADER_ID_AND_EPOCH), 0, 255).tagged(0),
]);
static FETCH_SNAPSHOT_RESPONSE_0_TOPIC_SNAPSHOT: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&FETCH_SNAPSHOT_RESPONSE_0_PARTITION_SNAPSHOT), 0, 255).array(),
], &[]);
static FETCH_SNAPSHOT_RESPONSE_0_NODE_ENDPOINT: StructRow = s(false, 64, &[(0, 1), (1, 8)], &[
    f("node_id", I32, 1, 255),
    f("host", Text, 1, 255),
    f("port", U16, 1, 255),
], &[]);
static FETCH_SNAPSHOT_RESPONSE_0: StructRow = s(true, 80, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("topics", Struct(&FETCH_SNAPSHOT_RESPONSE_0_TOPIC_SNAPSHOT), 0, 255).array(),
], &[
    f("node_endpoints", Struct(&FETCH_SNAPSHOT_RESPONSE_0_NODE_ENDPOINT), 1, 255).array().tagged(0),
]);
static DESCRIBE_CLUSTER_REQUEST_0: StructRow = s(false, 32, &[(0, 2), (1, 3), (2, 4)], &[
    f("include_cluster_authorized_operations", Bool, 0, 255),
    f("endpoint_type", I8, 1, 255).default(1),
    f("include_fenced_brokers", Bool, 2, 255),
], &[]);
static DESCRIBE_CLUSTER_RESPONSE_0_DESCRIBE_CLUSTER_BROKER: StructRow = s(false, 104, &[(0, 11), (2, 12)], &[
    f("broker_id", I32, 0, 255),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
    f("rack", Text, 0, 255).nullable(0, 255).default_null(),
    f("is_fenced", Bool, 2, 255),
], &[]);
static DESCRIBE_CLUSTER_RESPONSE_0: StructRow = s(false, 128, &[(0, 18), (1, 19)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("endpoint_type", I8, 1, 255).default(1),
    f("cluster_id", Text, 0, 255),
    f("controller_id", I32, 0, 255).default(-1),
    f("brokers", Struct(&DESCRIBE_CLUSTER_RESPONSE_0_DESCRIBE_CLUSTER_BROKER), 0, 255).array(),
    f("cluster_authorized_operations", I32, 0, 255).default(-2147483648),
], &[]);
static DESCRIBE_PRODUCERS_REQUEST_0_TOPIC_REQUEST: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partition_indexes", I32, 0, 255).array(),
], &[]);
static DESCRIBE_PRODUCERS_REQUEST_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("topics", Struct(&DESCRIBE_PRODUCERS_REQUEST_0_TOPIC_REQUEST), 0, 255).array(),
], &[]);
static DESCRIBE_PRODUCERS_RESPONSE_0_PRODUCER_STATE: StructRow = s(false, 64, &[(0, 37)], &[
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I32, 0, 255),
    f("last_sequence", I32, 0, 255).default(-1),
    f("last_timestamp", I64, 0, 255).default(-1),
    f("coordinator_epoch", I32, 0, 255),
    f("current_txn_start_offset", I64, 0, 255).default(-1),
], &[]);
static DESCRIBE_PRODUCERS_RESPONSE_0_PARTITION_RESPONSE: StructRow = s(false, 88, &[(0, 9)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("active_producers", Struct(&DESCRIBE_PRODUCERS_RESPONSE_0_PRODUCER_STATE), 0, 255).array(),
], &[]);
static DESCRIBE_PRODUCERS_RESPONSE_0_TOPIC_RESPONSE: StructRow = s(true, 80, &[(0, 3)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&DESCRIBE_PRODUCERS_RESPONSE_0_PARTITION_RESPONSE), 0, 255).array(),
], &[]);
static DESCRIBE_PRODUCERS_RESPONSE_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("topics", Struct(&DESCRIBE_PRODUCERS_RESPONSE_0_TOPIC_RESPONSE), 0, 255).array(),
], &[]);
static BROKER_REGISTRATION_REQUEST_0_LISTENER: StructRow = s(false, 96, &[(0, 7)], &[
    f("name", Text, 0, 255),
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
    f("security_protocol", I16, 0, 255),
], &[]);
static BROKER_REGISTRATION_REQUEST_0_FEATURE: StructRow = s(false, 64, &[(0, 6)], &[
    f("name", Text, 0, 255),
    f("min_supported_version", I16, 0, 255),
    f("max_supported_version", I16, 0, 255),
], &[]);
static BROKER_REGISTRATION_REQUEST_0: StructRow = s(false, 192, &[(0, 25), (1, 26), (2, 27), (3, 35)], &[
    f("broker_id", I32, 0, 255),
    f("cluster_id", Text, 0, 255),
    f("incarnation_id", Uuid, 0, 255),
    f("listeners", Struct(&BROKER_REGISTRATION_REQUEST_0_LISTENER), 0, 255).array(),
    f("features", Struct(&BROKER_REGISTRATION_REQUEST_0_FEATURE), 0, 255).array(),
    f("rack", Text, 0, 255).nullable(0, 255),
    f("is_migrating_zk_broker", Bool, 1, 255),
    f("log_dirs", Uuid, 2, 255).array(),
    f("previous_broker_epoch", I64, 3, 255).default(-1),
], &[]);
static BROKER_REGISTRATION_RESPONSE_0: StructRow = s(false, 40, &[(0, 15)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("broker_epoch", I64, 0, 255).default(-1),
], &[]);
static BROKER_HEARTBEAT_REQUEST_0: StructRow = s(false, 96, &[(0, 23)], &[
    f("broker_id", I32, 0, 255),
    f("broker_epoch", I64, 0, 255).default(-1),
    f("current_metadata_offset", I64, 0, 255),
    f("want_fence", Bool, 0, 255),
    f("want_shut_down", Bool, 0, 255),
], &[
    f("offline_log_dirs", Uuid, 1, 255).array().tagged(0),
    f("cordoned_log_dirs", Uuid, 2, 255).array().nullable(2, 255).tagged(1).default_null(),
]);
static BROKER_HEARTBEAT_RESPONSE_0: StructRow = s(false, 40, &[(0, 10)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("is_caught_up", Bool, 0, 255),
    f("is_fenced", Bool, 0, 255).default(1),
    f("should_shut_down", Bool, 0, 255),
], &[]);
static UNREGISTER_BROKER_REQUEST_0: StructRow = s(false, 32, &[(0, 5)], &[
    f("broker_id", I32, 0, 255),
], &[]);
static UNREGISTER_BROKER_RESPONSE_0: StructRow = s(false, 64, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static DESCRIBE_TRANSACTIONS_REQUEST_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("transactional_ids", Text, 0, 255).array().mark(TransactionalId),
], &[]);
static DESCRIBE_TRANSACTIONS_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static DESCRIBE_TRANSACTIONS_RESPONSE_0_TRANSACTION_STATE: StructRow = s(true, 136, &[(0, 28)], &[
    f("error_code", I16, 0, 255),
    f("transactional_id", Text, 0, 255).mark(TransactionalId),
    f("transaction_state", Text, 0, 255),
    f("transaction_timeout_ms", I32, 0, 255),
    f("transaction_start_time_ms", I64, 0, 255),
    f("producer_id", I64, 0, 255),
    f("producer_epoch", I16, 0, 255),
    f("topics", Struct(&DESCRIBE_TRANSACTIONS_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static DESCRIBE_TRANSACTIONS_RESPONSE_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("transaction_states", Struct(&DESCRIBE_TRANSACTIONS_RESPONSE_0_TRANSACTION_STATE), 0, 255).array(),
], &[]);
static LIST_TRANSACTIONS_REQUEST_0: StructRow = s(true, 112, &[(0, 3), (1, 11), (2, 12)], &[
    f("state_filters", Text, 0, 255).array(),
    f("producer_id_filters", I64, 0, 255).array(),
    f("duration_filter", I64, 1, 255).default(-1),
    f("transactional_id_pattern", Text, 2, 255).nullable(2, 255).mark(TransactionalIdRegex).default_null(),
], &[]);
static LIST_TRANSACTIONS_RESPONSE_0_TRANSACTION_STATE: StructRow = s(true, 96, &[(0, 11)], &[
    f("transactional_id", Text, 0, 255).mark(TransactionalId),
    f("producer_id", I64, 0, 255),
    f("transaction_state", Text, 0, 255),
], &[]);
static LIST_TRANSACTIONS_RESPONSE_0: StructRow = s(true, 80, &[(0, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("unknown_state_filters", Text, 0, 255).array(),
    f("transaction_states", Struct(&LIST_TRANSACTIONS_RESPONSE_0_TRANSACTION_STATE), 0, 255).array(),
], &[]);
static ALLOCATE_PRODUCER_IDS_REQUEST_0: StructRow = s(false, 40, &[(0, 13)], &[
    f("broker_id", I32, 0, 255),
    f("broker_epoch", I64, 0, 255).default(-1),
], &[]);
static ALLOCATE_PRODUCER_IDS_RESPONSE_0: StructRow = s(false, 48, &[(0, 19)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("producer_id_start", I64, 0, 255),
    f("producer_id_len", I32, 0, 255),
], &[]);
static CONSUMER_GROUP_HEARTBEAT_REQUEST_0_TOPIC_PARTITIONS: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", I32, 0, 255).array(),
], &[]);
static CONSUMER_GROUP_HEARTBEAT_REQUEST_0: StructRow = s(true, 272, &[(0, 16), (1, 17)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("member_id", Text, 0, 255),
    f("member_epoch", I32, 0, 255),
    f("instance_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("rebalance_timeout_ms", I32, 0, 255).default(-1),
    f("subscribed_topic_names", Text, 0, 255).array().nullable(0, 255).mark(TopicName).default_null(),
    f("subscribed_topic_regex", Text, 1, 255).nullable(1, 255).mark(TopicRegex).default_null(),
    f("server_assignor", Text, 0, 255).nullable(0, 255).default_null(),
    f("topic_partitions", Struct(&CONSUMER_GROUP_HEARTBEAT_REQUEST_0_TOPIC_PARTITIONS), 0, 255).array().nullable(0, 255).default_null(),
], &[]);
static CONSUMER_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITIONS: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", I32, 0, 255).array(),
], &[]);
static CONSUMER_GROUP_HEARTBEAT_RESPONSE_0_ASSIGNMENT: StructRow = s(true, 48, &[(0, 2)], &[
    f("topic_partitions", Struct(&CONSUMER_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITIONS), 0, 255).array(),
], &[]);
static CONSUMER_GROUP_HEARTBEAT_RESPONSE_0: StructRow = s(true, 152, &[(0, 18)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_epoch", I32, 0, 255),
    f("heartbeat_interval_ms", I32, 0, 255),
    f("assignment", Struct(&CONSUMER_GROUP_HEARTBEAT_RESPONSE_0_ASSIGNMENT), 0, 255).nullable(0, 255).default_null(),
], &[]);
static CONSUMER_GROUP_DESCRIBE_REQUEST_0: StructRow = s(true, 56, &[(0, 3)], &[
    f("group_ids", Text, 0, 255).array().mark(GroupId),
    f("include_authorized_operations", Bool, 0, 255),
], &[]);
static CONSUMER_GROUP_DESCRIBE_RESPONSE_0_TOPIC_PARTITIONS: StructRow = s(true, 96, &[(0, 19)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static CONSUMER_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT: StructRow = s(true, 48, &[(0, 2)], &[
    f("topic_partitions", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_0_TOPIC_PARTITIONS), 0, 255).array(),
], &[]);
static CONSUMER_GROUP_DESCRIBE_RESPONSE_0_MEMBER: StructRow = s(true, 344, &[(0, 16), (1, 17)], &[
    f("member_id", Text, 0, 255),
    f("instance_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_epoch", I32, 0, 255),
    f("client_id", Text, 0, 255),
    f("client_host", Text, 0, 255),
    f("subscribed_topic_names", Text, 0, 255).array().mark(TopicName),
    f("subscribed_topic_regex", Text, 0, 255).nullable(0, 255).mark(TopicRegex).default_null(),
    f("assignment", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT), 0, 255),
    f("target_assignment", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT), 0, 255),
    f("member_type", I8, 1, 255).default(-1),
], &[]);
static CONSUMER_GROUP_DESCRIBE_RESPONSE_0_DESCRIBED_GROUP: StructRow = s(true, 192, &[(0, 20)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("group_id", Text, 0, 255).mark(GroupId),
    f("group_state", Text, 0, 255),
    f("group_epoch", I32, 0, 255),
    f("assignment_epoch", I32, 0, 255),
    f("assignor_name", Text, 0, 255),
    f("members", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_0_MEMBER), 0, 255).array(),
    f("authorized_operations", I32, 0, 255).default(-2147483648),
], &[]);
static CONSUMER_GROUP_DESCRIBE_RESPONSE_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("groups", Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_0_DESCRIBED_GROUP), 0, 255).array(),
], &[]);
static CONTROLLER_REGISTRATION_REQUEST_0_LISTENER: StructRow = s(false, 96, &[(0, 7)], &[
    f("name", Text, 0, 255),
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
    f("security_protocol", I16, 0, 255),
], &[]);
static CONTROLLER_REGISTRATION_REQUEST_0_FEATURE: StructRow = s(false, 64, &[(0, 6)], &[
    f("name", Text, 0, 255),
    f("min_supported_version", I16, 0, 255),
    f("max_supported_version", I16, 0, 255),
], &[]);
static CONTROLLER_REGISTRATION_REQUEST_0: StructRow = s(false, 96, &[(0, 24)], &[
    f("controller_id", I32, 0, 255),
    f("incarnation_id", Uuid, 0, 255),
    f("zk_migration_ready", Bool, 0, 255),
    f("listeners", Struct(&CONTROLLER_REGISTRATION_REQUEST_0_LISTENER), 0, 255).array(),
    f("features", Struct(&CONTROLLER_REGISTRATION_REQUEST_0_FEATURE), 0, 255).array(),
], &[]);
static CONTROLLER_REGISTRATION_RESPONSE_0: StructRow = s(false, 64, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static GET_TELEMETRY_SUBSCRIPTIONS_REQUEST_0: StructRow = s(false, 40, &[(0, 17)], &[
    f("client_instance_id", Uuid, 0, 255),
], &[]);
static GET_TELEMETRY_SUBSCRIPTIONS_RESPONSE_0: StructRow = s(false, 112, &[(0, 38)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("client_instance_id", Uuid, 0, 255),
    f("subscription_id", I32, 0, 255),
    f("accepted_compression_types", I8, 0, 255).array(),
    f("push_interval_ms", I32, 0, 255),
    f("telemetry_max_bytes", I32, 0, 255),
    f("delta_temporality", Bool, 0, 255),
    f("requested_metrics", Text, 0, 255).array(),
], &[]);
static PUSH_TELEMETRY_REQUEST_0: StructRow = s(false, 80, &[(0, 24)], &[
    f("client_instance_id", Uuid, 0, 255),
    f("subscription_id", I32, 0, 255),
    f("terminating", Bool, 0, 255),
    f("compression_type", I8, 0, 255),
    f("metrics", Bytes, 0, 255),
], &[]);
static PUSH_TELEMETRY_RESPONSE_0: StructRow = s(false, 32, &[(0, 7)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_REQUEST_0_PARTITION_DATA: StructRow = s(false, 32, &[(0, 5)], &[
    f("partition_index", I32, 0, 255),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_REQUEST_0_TOPIC_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_REQUEST_0_DIRECTORY_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("id", Uuid, 0, 255),
    f("topics", Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_REQUEST_0: StructRow = s(true, 64, &[(0, 14)], &[
    f("broker_id", I32, 0, 255),
    f("broker_epoch", I64, 0, 255).default(-1),
    f("directories", Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_0_DIRECTORY_DATA), 0, 255).array(),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 32, &[(0, 7)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0_TOPIC_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0_DIRECTORY_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("id", Uuid, 0, 255),
    f("topics", Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0_TOPIC_DATA), 0, 255).array(),
], &[]);
static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("directories", Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_0_DIRECTORY_DATA), 0, 255).array(),
], &[]);
static LIST_CONFIG_RESOURCES_REQUEST_0: StructRow = s(false, 48, &[(0, 1), (1, 2)], &[
    f("resource_types", I8, 1, 255).array(),
], &[]);
static LIST_CONFIG_RESOURCES_RESPONSE_0_CONFIG_RESOURCE: StructRow = s(true, 64, &[(0, 2), (1, 3)], &[
    f("resource_name", Text, 0, 255).mark(ConfigResource),
    f("resource_type", I8, 1, 255).default(16),
], &[]);
static LIST_CONFIG_RESOURCES_RESPONSE_0: StructRow = s(true, 56, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("config_resources", Struct(&LIST_CONFIG_RESOURCES_RESPONSE_0_CONFIG_RESOURCE), 0, 255).array(),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_REQUEST_0_TOPIC_REQUEST: StructRow = s(true, 56, &[(0, 2)], &[
    f("name", Text, 0, 255).mark(TopicName),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_REQUEST_0_CURSOR: StructRow = s(true, 64, &[(0, 6)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partition_index", I32, 0, 255),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_REQUEST_0: StructRow = s(true, 112, &[(0, 7)], &[
    f("topics", Struct(&DESCRIBE_TOPIC_PARTITIONS_REQUEST_0_TOPIC_REQUEST), 0, 255).array(),
    f("response_partition_limit", I32, 0, 255).default(2000),
    f("cursor", Struct(&DESCRIBE_TOPIC_PARTITIONS_REQUEST_0_CURSOR), 0, 255).nullable(0, 255).default_null(),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION: StructRow = s(false, 160, &[(0, 20)], &[
    f("error_code", I16, 0, 255),
    f("partition_index", I32, 0, 255),
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255).default(-1),
    f("replica_nodes", I32, 0, 255).array(),
    f("isr_nodes", I32, 0, 255).array(),
    f("eligible_leader_replicas", I32, 0, 255).array().nullable(0, 255).default_null(),
    f("last_known_elr", I32, 0, 255).array().nullable(0, 255).default_null(),
    f("offline_replicas", I32, 0, 255).array(),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC: StructRow = s(true, 104, &[(0, 26)], &[
    f("error_code", I16, 0, 255),
    f("name", Text, 0, 255).nullable(0, 255).mark(TopicName),
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("is_internal", Bool, 0, 255),
    f("partitions", Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION), 0, 255).array(),
    f("topic_authorized_operations", I32, 0, 255).default(-2147483648),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0_CURSOR: StructRow = s(true, 64, &[(0, 6)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partition_index", I32, 0, 255),
], &[]);
static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0: StructRow = s(true, 112, &[(0, 7)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("topics", Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC), 0, 255).array(),
    f("next_cursor", Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_0_CURSOR), 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_GROUP_HEARTBEAT_REQUEST_0: StructRow = s(true, 152, &[(0, 9)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("member_id", Text, 0, 255),
    f("member_epoch", I32, 0, 255),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("subscribed_topic_names", Text, 0, 255).array().nullable(0, 255).mark(TopicName).default_null(),
], &[]);
static SHARE_GROUP_HEARTBEAT_REQUEST_1: StructRow = s(true, 152, &[(1, 9)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("member_id", Text, 0, 255),
    f("member_epoch", I32, 0, 255),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("subscribed_topic_names", Text, 0, 255).array().nullable(0, 255).mark(TopicName).default_null(),
], &[]);
static SHARE_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITIONS: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", I32, 0, 255).array(),
], &[]);
static SHARE_GROUP_HEARTBEAT_RESPONSE_0_ASSIGNMENT: StructRow = s(true, 48, &[(0, 2)], &[
    f("topic_partitions", Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITIONS), 0, 255).array(),
], &[]);
static SHARE_GROUP_HEARTBEAT_RESPONSE_0: StructRow = s(true, 152, &[(0, 18)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_epoch", I32, 0, 255),
    f("heartbeat_interval_ms", I32, 0, 255),
    f("assignment", Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_0_ASSIGNMENT), 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_GROUP_HEARTBEAT_RESPONSE_1_TOPIC_PARTITIONS: StructRow = s(true, 64, &[(1, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", I32, 0, 255).array(),
], &[]);
static SHARE_GROUP_HEARTBEAT_RESPONSE_1_ASSIGNMENT: StructRow = s(true, 48, &[(1, 2)], &[
    f("topic_partitions", Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_1_TOPIC_PARTITIONS), 0, 255).array(),
], &[]);
static SHARE_GROUP_HEARTBEAT_RESPONSE_1: StructRow = s(true, 152, &[(1, 18)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_epoch", I32, 0, 255),
    f("heartbeat_interval_ms", I32, 0, 255),
    f("assignment", Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_1_ASSIGNMENT), 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_GROUP_DESCRIBE_REQUEST_0: StructRow = s(true, 56, &[(0, 3)], &[
    f("group_ids", Text, 0, 255).array().mark(GroupId),
    f("include_authorized_operations", Bool, 0, 255),
], &[]);
static SHARE_GROUP_DESCRIBE_REQUEST_1: StructRow = s(true, 56, &[(1, 3)], &[
    f("group_ids", Text, 0, 255).array().mark(GroupId),
    f("include_authorized_operations", Bool, 0, 255),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_0_TOPIC_PARTITIONS: StructRow = s(true, 96, &[(0, 19)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT: StructRow = s(true, 48, &[(0, 2)], &[
    f("topic_partitions", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_0_TOPIC_PARTITIONS), 0, 255).array(),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_0_MEMBER: StructRow = s(true, 232, &[(0, 12)], &[
    f("member_id", Text, 0, 255),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_epoch", I32, 0, 255),
    f("client_id", Text, 0, 255),
    f("client_host", Text, 0, 255),
    f("subscribed_topic_names", Text, 0, 255).array().mark(TopicName),
    f("assignment", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT), 0, 255),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_0_DESCRIBED_GROUP: StructRow = s(true, 192, &[(0, 20)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("group_id", Text, 0, 255).mark(GroupId),
    f("group_state", Text, 0, 255),
    f("group_epoch", I32, 0, 255),
    f("assignment_epoch", I32, 0, 255),
    f("assignor_name", Text, 0, 255),
    f("members", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_0_MEMBER), 0, 255).array(),
    f("authorized_operations", I32, 0, 255).default(-2147483648),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("groups", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_0_DESCRIBED_GROUP), 0, 255).array(),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_1_TOPIC_PARTITIONS: StructRow = s(true, 96, &[(1, 19)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_1_ASSIGNMENT: StructRow = s(true, 48, &[(1, 2)], &[
    f("topic_partitions", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_1_TOPIC_PARTITIONS), 0, 255).array(),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_1_MEMBER: StructRow = s(true, 232, &[(1, 12)], &[
    f("member_id", Text, 0, 255),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_epoch", I32, 0, 255),
    f("client_id", Text, 0, 255),
    f("client_host", Text, 0, 255),
    f("subscribed_topic_names", Text, 0, 255).array().mark(TopicName),
    f("assignment", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_1_ASSIGNMENT), 0, 255),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_1_DESCRIBED_GROUP: StructRow = s(true, 192, &[(1, 20)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("group_id", Text, 0, 255).mark(GroupId),
    f("group_state", Text, 0, 255),
    f("group_epoch", I32, 0, 255),
    f("assignment_epoch", I32, 0, 255),
    f("assignor_name", Text, 0, 255),
    f("members", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_1_MEMBER), 0, 255).array(),
    f("authorized_operations", I32, 0, 255).default(-2147483648),
], &[]);
static SHARE_GROUP_DESCRIBE_RESPONSE_1: StructRow = s(true, 56, &[(1, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("groups", Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_1_DESCRIBED_GROUP), 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_0_ACKNOWLEDGEMENT_BATCH: StructRow = s(false, 64, &[(0, 18)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("acknowledge_types", I8, 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_0_FETCH_PARTITION: StructRow = s(false, 56, &[(0, 10)], &[
    f("partition_index", I32, 0, 255),
    f("partition_max_bytes", I32, 0, 255),
    f("acknowledgement_batches", Struct(&SHARE_FETCH_REQUEST_0_ACKNOWLEDGEMENT_BATCH), 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_0_FETCH_TOPIC: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_FETCH_REQUEST_0_FETCH_PARTITION), 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_0_FORGOTTEN_TOPIC: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", I32, 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_0: StructRow = s(true, 152, &[(0, 21)], &[
    f("group_id", Text, 0, 255).nullable(0, 255).mark(GroupId).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255),
    f("share_session_epoch", I32, 0, 255),
    f("max_wait_ms", I32, 0, 255),
    f("min_bytes", I32, 0, 255),
    f("max_bytes", I32, 0, 255).default(2147483647),
    f("topics", Struct(&SHARE_FETCH_REQUEST_0_FETCH_TOPIC), 0, 255).array(),
    f("forgotten_topics_data", Struct(&SHARE_FETCH_REQUEST_0_FORGOTTEN_TOPIC), 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_1_ACKNOWLEDGEMENT_BATCH: StructRow = s(false, 64, &[(1, 18)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("acknowledge_types", I8, 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_1_FETCH_PARTITION: StructRow = s(false, 56, &[(1, 6)], &[
    f("partition_index", I32, 0, 255),
    f("acknowledgement_batches", Struct(&SHARE_FETCH_REQUEST_1_ACKNOWLEDGEMENT_BATCH), 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_1_FETCH_TOPIC: StructRow = s(true, 64, &[(1, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_FETCH_REQUEST_1_FETCH_PARTITION), 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_1_FORGOTTEN_TOPIC: StructRow = s(true, 64, &[(1, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", I32, 0, 255).array(),
], &[]);
static SHARE_FETCH_REQUEST_1: StructRow = s(true, 168, &[(1, 29), (2, 31)], &[
    f("group_id", Text, 0, 255).nullable(0, 255).mark(GroupId).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255),
    f("share_session_epoch", I32, 0, 255),
    f("max_wait_ms", I32, 0, 255),
    f("min_bytes", I32, 0, 255),
    f("max_bytes", I32, 0, 255).default(2147483647),
    f("max_records", I32, 1, 255),
    f("batch_size", I32, 1, 255),
    f("share_acquire_mode", I8, 2, 255),
    f("is_renew_ack", Bool, 2, 255),
    f("topics", Struct(&SHARE_FETCH_REQUEST_1_FETCH_TOPIC), 0, 255).array(),
    f("forgotten_topics_data", Struct(&SHARE_FETCH_REQUEST_1_FORGOTTEN_TOPIC), 0, 255).array(),
], &[]);
static SHARE_FETCH_RESPONSE_0_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(0, 9)], &[
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static SHARE_FETCH_RESPONSE_0_ACQUIRED_RECORDS: StructRow = s(false, 48, &[(0, 19)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("delivery_count", I16, 0, 255),
], &[]);
static SHARE_FETCH_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 184, &[(0, 22)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("acknowledge_error_code", I16, 0, 255),
    f("acknowledge_error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("current_leader", Struct(&SHARE_FETCH_RESPONSE_0_LEADER_ID_AND_EPOCH), 0, 255),
    f("records", Bytes, 0, 255).nullable(0, 255),
    f("acquired_records", Struct(&SHARE_FETCH_RESPONSE_0_ACQUIRED_RECORDS), 0, 255).array(),
], &[]);
static SHARE_FETCH_RESPONSE_0_SHARE_FETCHABLE_TOPIC_RESPONSE: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_FETCH_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static SHARE_FETCH_RESPONSE_0_NODE_ENDPOINT: StructRow = s(false, 96, &[(0, 11)], &[
    f("node_id", I32, 0, 255),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
    f("rack", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_FETCH_RESPONSE_0: StructRow = s(true, 112, &[(0, 10)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("responses", Struct(&SHARE_FETCH_RESPONSE_0_SHARE_FETCHABLE_TOPIC_RESPONSE), 0, 255).array(),
    f("node_endpoints", Struct(&SHARE_FETCH_RESPONSE_0_NODE_ENDPOINT), 0, 255).array(),
], &[]);
static SHARE_FETCH_RESPONSE_1_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(1, 9)], &[
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static SHARE_FETCH_RESPONSE_1_ACQUIRED_RECORDS: StructRow = s(false, 48, &[(1, 19)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("delivery_count", I16, 0, 255),
], &[]);
static SHARE_FETCH_RESPONSE_1_PARTITION_DATA: StructRow = s(false, 184, &[(1, 22)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("acknowledge_error_code", I16, 0, 255),
    f("acknowledge_error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("current_leader", Struct(&SHARE_FETCH_RESPONSE_1_LEADER_ID_AND_EPOCH), 0, 255),
    f("records", Bytes, 0, 255),
    f("acquired_records", Struct(&SHARE_FETCH_RESPONSE_1_ACQUIRED_RECORDS), 0, 255).array(),
], &[]);
static SHARE_FETCH_RESPONSE_1_SHARE_FETCHABLE_TOPIC_RESPONSE: StructRow = s(true, 64, &[(1, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_FETCH_RESPONSE_1_PARTITION_DATA), 0, 255).array(),
], &[]);
static SHARE_FETCH_RESPONSE_1_NODE_ENDPOINT: StructRow = s(false, 96, &[(1, 11)], &[
    f("node_id", I32, 0, 255),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
    f("rack", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_FETCH_RESPONSE_1: StructRow = s(true, 120, &[(1, 14)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("acquisition_lock_timeout_ms", I32, 1, 255),
    f("responses", Struct(&SHARE_FETCH_RESPONSE_1_SHARE_FETCHABLE_TOPIC_RESPONSE), 0, 255).array(),
    f("node_endpoints", Struct(&SHARE_FETCH_RESPONSE_1_NODE_ENDPOINT), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_0_ACKNOWLEDGEMENT_BATCH: StructRow = s(false, 64, &[(0, 18)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("acknowledge_types", I8, 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_0_ACKNOWLEDGE_PARTITION: StructRow = s(false, 56, &[(0, 6)], &[
    f("partition_index", I32, 0, 255),
    f("acknowledgement_batches", Struct(&SHARE_ACKNOWLEDGE_REQUEST_0_ACKNOWLEDGEMENT_BATCH), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_0_ACKNOWLEDGE_TOPIC: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_ACKNOWLEDGE_REQUEST_0_ACKNOWLEDGE_PARTITION), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_0: StructRow = s(true, 120, &[(0, 8)], &[
    f("group_id", Text, 0, 255).nullable(0, 255).mark(GroupId).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255),
    f("share_session_epoch", I32, 0, 255),
    f("topics", Struct(&SHARE_ACKNOWLEDGE_REQUEST_0_ACKNOWLEDGE_TOPIC), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_1_ACKNOWLEDGEMENT_BATCH: StructRow = s(false, 64, &[(1, 18)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("acknowledge_types", I8, 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_1_ACKNOWLEDGE_PARTITION: StructRow = s(false, 56, &[(1, 6)], &[
    f("partition_index", I32, 0, 255),
    f("acknowledgement_batches", Struct(&SHARE_ACKNOWLEDGE_REQUEST_1_ACKNOWLEDGEMENT_BATCH), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_1_ACKNOWLEDGE_TOPIC: StructRow = s(true, 64, &[(1, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_ACKNOWLEDGE_REQUEST_1_ACKNOWLEDGE_PARTITION), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_REQUEST_1: StructRow = s(true, 120, &[(1, 8), (2, 9)], &[
    f("group_id", Text, 0, 255).nullable(0, 255).mark(GroupId).default_null(),
    f("member_id", Text, 0, 255).nullable(0, 255),
    f("share_session_epoch", I32, 0, 255),
    f("is_renew_ack", Bool, 2, 255),
    f("topics", Struct(&SHARE_ACKNOWLEDGE_REQUEST_1_ACKNOWLEDGE_TOPIC), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_0_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(0, 9)], &[
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_0_PARTITION_DATA: StructRow = s(false, 96, &[(0, 17)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("current_leader", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_0_LEADER_ID_AND_EPOCH), 0, 255),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_0_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_0_NODE_ENDPOINT: StructRow = s(false, 96, &[(0, 11)], &[
    f("node_id", I32, 0, 255),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
    f("rack", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_0: StructRow = s(true, 112, &[(0, 10)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("responses", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_0_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE), 0, 255).array(),
    f("node_endpoints", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_0_NODE_ENDPOINT), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_1_LEADER_ID_AND_EPOCH: StructRow = s(false, 32, &[(1, 9)], &[
    f("leader_id", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_1_PARTITION_DATA: StructRow = s(false, 96, &[(1, 17)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("current_leader", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_1_LEADER_ID_AND_EPOCH), 0, 255),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_1_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE: StructRow = s(true, 64, &[(1, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_1_PARTITION_DATA), 0, 255).array(),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_1_NODE_ENDPOINT: StructRow = s(false, 96, &[(1, 11)], &[
    f("node_id", I32, 0, 255),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
    f("rack", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static SHARE_ACKNOWLEDGE_RESPONSE_1: StructRow = s(true, 120, &[(1, 10), (2, 14)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("acquisition_lock_timeout_ms", I32, 2, 255),
    f("responses", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_1_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE), 0, 255).array(),
    f("node_endpoints", Struct(&SHARE_ACKNOWLEDGE_RESPONSE_1_NODE_ENDPOINT), 0, 255).array(),
], &[]);
static ADD_RAFT_VOTER_REQUEST_0_LISTENER: StructRow = s(false, 96, &[(0, 5)], &[
    f("name", Text, 0, 255),
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
], &[]);
static ADD_RAFT_VOTER_REQUEST_0: StructRow = s(false, 112, &[(0, 27), (1, 28)], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255),
    f("timeout_ms", I32, 0, 255),
    f("voter_id", I32, 0, 255),
    f("voter_directory_id", Uuid, 0, 255),
    f("listeners", Struct(&ADD_RAFT_VOTER_REQUEST_0_LISTENER), 0, 255).array(),
    f("ack_when_committed", Bool, 1, 255).default(1),
], &[]);
static ADD_RAFT_VOTER_RESPONSE_0: StructRow = s(false, 64, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static REMOVE_RAFT_VOTER_REQUEST_0: StructRow = s(false, 80, &[(0, 22)], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255),
    f("voter_id", I32, 0, 255),
    f("voter_directory_id", Uuid, 0, 255),
], &[]);
static REMOVE_RAFT_VOTER_RESPONSE_0: StructRow = s(false, 64, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
static UPDATE_RAFT_VOTER_REQUEST_0_LISTENER: StructRow = s(false, 96, &[(0, 5)], &[
    f("name", Text, 0, 255),
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
], &[]);
static UPDATE_RAFT_VOTER_REQUEST_0_KRAFT_VERSION_FEATURE: StructRow = s(false, 32, &[(0, 5)], &[
    f("min_supported_version", I16, 0, 255),
    f("max_supported_version", I16, 0, 255),
], &[]);
static UPDATE_RAFT_VOTER_REQUEST_0: StructRow = s(false, 136, &[(0, 32)], &[
    f("cluster_id", Text, 0, 255).nullable(0, 255),
    f("current_leader_epoch", I32, 0, 255),
    f("voter_id", I32, 0, 255),
    f("voter_directory_id", Uuid, 0, 255),
    f("listeners", Struct(&UPDATE_RAFT_VOTER_REQUEST_0_LISTENER), 0, 255).array(),
    f("kraft_version_feature", Struct(&UPDATE_RAFT_VOTER_REQUEST_0_KRAFT_VERSION_FEATURE), 0, 255),
], &[]);
static UPDATE_RAFT_VOTER_RESPONSE_0_CURRENT_LEADER: StructRow = s(false, 72, &[(0, 14)], &[
    f("leader_id", I32, 0, 255).default(-1),
    f("leader_epoch", I32, 0, 255).default(-1),
    f("host", Text, 0, 255),
    f("port", I32, 0, 255),
], &[]);
static UPDATE_RAFT_VOTER_RESPONSE_0: StructRow = s(false, 104, &[(0, 7)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
], &[
    f("current_leader", Struct(&UPDATE_RAFT_VOTER_RESPONSE_0_CURRENT_LEADER), 0, 255).tagged(0),
]);
static INITIALIZE_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA: StructRow = s(false, 40, &[(0, 17)], &[
    f("partition", I32, 0, 255),
    f("state_epoch", I32, 0, 255),
    f("start_offset", I64, 0, 255),
], &[]);
static INITIALIZE_SHARE_GROUP_STATE_REQUEST_0_INITIALIZE_STATE_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&INITIALIZE_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static INITIALIZE_SHARE_GROUP_STATE_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&INITIALIZE_SHARE_GROUP_STATE_REQUEST_0_INITIALIZE_STATE_DATA), 0, 255).array(),
], &[]);
static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT: StructRow = s(false, 64, &[(0, 8)], &[
    f("partition", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_0_INITIALIZE_STATE_RESULT: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&INITIALIZE_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT), 0, 255).array(),
], &[]);
static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("results", Struct(&INITIALIZE_SHARE_GROUP_STATE_RESPONSE_0_INITIALIZE_STATE_RESULT), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA: StructRow = s(false, 32, &[(0, 9)], &[
    f("partition", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static READ_SHARE_GROUP_STATE_REQUEST_0_READ_STATE_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&READ_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&READ_SHARE_GROUP_STATE_REQUEST_0_READ_STATE_DATA), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_RESPONSE_0_STATE_BATCH: StructRow = s(false, 48, &[(0, 20)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("delivery_state", I8, 0, 255),
    f("delivery_count", I16, 0, 255),
], &[]);
static READ_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT: StructRow = s(false, 104, &[(0, 21)], &[
    f("partition", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("state_epoch", I32, 0, 255),
    f("start_offset", I64, 0, 255),
    f("state_batches", Struct(&READ_SHARE_GROUP_STATE_RESPONSE_0_STATE_BATCH), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_RESPONSE_0_READ_STATE_RESULT: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&READ_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_RESPONSE_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("results", Struct(&READ_SHARE_GROUP_STATE_RESPONSE_0_READ_STATE_RESULT), 0, 255).array(),
], &[]);
static WRITE_SHARE_GROUP_STATE_REQUEST_0_STATE_BATCH: StructRow = s(false, 48, &[(0, 20)], &[
    f("first_offset", I64, 0, 255),
    f("last_offset", I64, 0, 255),
    f("delivery_state", I8, 0, 255),
    f("delivery_count", I16, 0, 255),
], &[]);
static WRITE_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA: StructRow = s(false, 72, &[(0, 22), (1, 26)], &[
    f("partition", I32, 0, 255),
    f("state_epoch", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("start_offset", I64, 0, 255),
    f("delivery_complete_count", I32, 1, 255).default(-1),
    f("state_batches", Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_0_STATE_BATCH), 0, 255).array(),
], &[]);
static WRITE_SHARE_GROUP_STATE_REQUEST_0_WRITE_STATE_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static WRITE_SHARE_GROUP_STATE_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_0_WRITE_STATE_DATA), 0, 255).array(),
], &[]);
static WRITE_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT: StructRow = s(false, 64, &[(0, 8)], &[
    f("partition", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static WRITE_SHARE_GROUP_STATE_RESPONSE_0_WRITE_STATE_RESULT: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&WRITE_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT), 0, 255).array(),
], &[]);
static WRITE_SHARE_GROUP_STATE_RESPONSE_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("results", Struct(&WRITE_SHARE_GROUP_STATE_RESPONSE_0_WRITE_STATE_RESULT), 0, 255).array(),
], &[]);
static DELETE_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA: StructRow = s(false, 32, &[(0, 5)], &[
    f("partition", I32, 0, 255),
], &[]);
static DELETE_SHARE_GROUP_STATE_REQUEST_0_DELETE_STATE_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&DELETE_SHARE_GROUP_STATE_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static DELETE_SHARE_GROUP_STATE_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&DELETE_SHARE_GROUP_STATE_REQUEST_0_DELETE_STATE_DATA), 0, 255).array(),
], &[]);
static DELETE_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT: StructRow = s(false, 64, &[(0, 8)], &[
    f("partition", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static DELETE_SHARE_GROUP_STATE_RESPONSE_0_DELETE_STATE_RESULT: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&DELETE_SHARE_GROUP_STATE_RESPONSE_0_PARTITION_RESULT), 0, 255).array(),
], &[]);
static DELETE_SHARE_GROUP_STATE_RESPONSE_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("results", Struct(&DELETE_SHARE_GROUP_STATE_RESPONSE_0_DELETE_STATE_RESULT), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_0_PARTITION_DATA: StructRow = s(false, 32, &[(0, 9)], &[
    f("partition", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
], &[]);
static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_0_READ_STATE_SUMMARY_DATA: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_0_PARTITION_DATA), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_0_READ_STATE_SUMMARY_DATA), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_0_PARTITION_RESULT: StructRow = s(false, 88, &[(0, 24), (1, 28)], &[
    f("partition", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("state_epoch", I32, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("start_offset", I64, 0, 255),
    f("delivery_complete_count", I32, 1, 255).default(-1),
], &[]);
static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_0_READ_STATE_SUMMARY_RESULT: StructRow = s(true, 64, &[(0, 18)], &[
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_0_PARTITION_RESULT), 0, 255).array(),
], &[]);
static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("results", Struct(&READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_0_READ_STATE_SUMMARY_RESULT), 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_KEY_VALUE: StructRow = s(false, 88, &[(0, 3)], &[
    f("key", Text, 0, 255),
    f("value", Text, 0, 255),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_TOPIC_INFO: StructRow = s(true, 88, &[(0, 9)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255),
    f("replication_factor", I16, 0, 255),
    f("topic_configs", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_KEY_VALUE), 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_COPARTITION_GROUP: StructRow = s(false, 96, &[(0, 4)], &[
    f("source_topics", I16, 0, 255).array(),
    f("source_topic_regex", I16, 0, 255).array(),
    f("repartition_source_topics", I16, 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_SUBTOPOLOGY: StructRow = s(true, 200, &[(0, 8)], &[
    f("subtopology_id", Text, 0, 255),
    f("source_topics", Text, 0, 255).array().mark(TopicName),
    f("source_topic_regex", Text, 0, 255).array().mark(TopicRegex),
    f("state_changelog_topics", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TOPIC_INFO), 0, 255).array(),
    f("repartition_sink_topics", Text, 0, 255).array().mark(TopicName),
    f("repartition_source_topics", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TOPIC_INFO), 0, 255).array(),
    f("copartition_groups", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_COPARTITION_GROUP), 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_TOPOLOGY: StructRow = s(true, 56, &[(0, 6)], &[
    f("epoch", I32, 0, 255),
    f("subtopologies", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_SUBTOPOLOGY), 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_IDS: StructRow = s(false, 80, &[(0, 3)], &[
    f("subtopology_id", Text, 0, 255),
    f("partitions", I32, 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_ENDPOINT: StructRow = s(false, 64, &[(0, 4)], &[
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_OFFSET: StructRow = s(false, 72, &[(0, 14)], &[
    f("subtopology_id", Text, 0, 255),
    f("partition", I32, 0, 255),
    f("offset", I64, 0, 255),
], &[]);
static STREAMS_GROUP_HEARTBEAT_REQUEST_0: StructRow = s(true, 456, &[(0, 27)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("member_id", Text, 0, 255),
    f("member_epoch", I32, 0, 255),
    f("endpoint_information_epoch", I32, 0, 255),
    f("instance_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("rebalance_timeout_ms", I32, 0, 255).default(-1),
    f("topology", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TOPOLOGY), 0, 255).nullable(0, 255).default_null(),
    f("active_tasks", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_IDS), 0, 255).array().nullable(0, 255).default_null(),
    f("standby_tasks", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_IDS), 0, 255).array().nullable(0, 255).default_null(),
    f("warmup_tasks", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_IDS), 0, 255).array().nullable(0, 255).default_null(),
    f("process_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("user_endpoint", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_ENDPOINT), 0, 255).nullable(0, 255).default_null(),
    f("client_tags", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_KEY_VALUE), 0, 255).array().nullable(0, 255).default_null(),
    f("task_offsets", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_OFFSET), 0, 255).array().nullable(0, 255).default_null(),
    f("task_end_offsets", Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_0_TASK_OFFSET), 0, 255).array().nullable(0, 255).default_null(),
    f("shutdown_application", Bool, 0, 255),
], &[]);
static STREAMS_GROUP_HEARTBEAT_RESPONSE_0_STATUS: StructRow = s(false, 64, &[(0, 3)], &[
    f("status_code", I8, 0, 255),
    f("status_detail", Text, 0, 255),
], &[]);
static STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TASK_IDS: StructRow = s(false, 80, &[(0, 3)], &[
    f("subtopology_id", Text, 0, 255),
    f("partitions", I32, 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_RESPONSE_0_ENDPOINT: StructRow = s(false, 64, &[(0, 4)], &[
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
], &[]);
static STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITION: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_RESPONSE_0_ENDPOINT_TO_PARTITIONS: StructRow = s(true, 136, &[(0, 7)], &[
    f("user_endpoint", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_ENDPOINT), 0, 255),
    f("active_partitions", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITION), 0, 255).array(),
    f("standby_partitions", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TOPIC_PARTITION), 0, 255).array(),
], &[]);
static STREAMS_GROUP_HEARTBEAT_RESPONSE_0: StructRow = s(true, 248, &[(0, 34), (1, 39)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("member_id", Text, 0, 255),
    f("member_epoch", I32, 0, 255),
    f("heartbeat_interval_ms", I32, 0, 255),
    f("acceptable_recovery_lag_legacy", I32, 0, 0),
    f("task_offset_interval_ms", I32, 0, 255),
    f("acceptable_recovery_lag", I64, 1, 255).default(-1),
    f("status", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_STATUS), 0, 255).array().nullable(0, 255),
    f("active_tasks", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TASK_IDS), 0, 255).array().nullable(0, 255).default_null(),
    f("standby_tasks", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TASK_IDS), 0, 255).array().nullable(0, 255).default_null(),
    f("warmup_tasks", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_TASK_IDS), 0, 255).array().nullable(0, 255).default_null(),
    f("topology_description_required", Bool, 1, 255),
    f("endpoint_information_epoch", I32, 0, 255),
    f("partitions_by_user_endpoint", Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_0_ENDPOINT_TO_PARTITIONS), 0, 255).array().nullable(0, 255).default_null(),
], &[]);
static STREAMS_GROUP_DESCRIBE_REQUEST_0: StructRow = s(true, 56, &[(0, 3), (1, 4)], &[
    f("group_ids", Text, 0, 255).array().mark(GroupId),
    f("include_authorized_operations", Bool, 0, 255),
    f("include_topology_description", Bool, 1, 255),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_KEY_VALUE: StructRow = s(false, 88, &[(0, 3)], &[
    f("key", Text, 0, 255),
    f("value", Text, 0, 255),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPIC_INFO: StructRow = s(true, 88, &[(0, 9)], &[
    f("name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255),
    f("replication_factor", I16, 0, 255),
    f("topic_configs", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_KEY_VALUE), 0, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_SUBTOPOLOGY: StructRow = s(true, 152, &[(0, 6)], &[
    f("subtopology_id", Text, 0, 255),
    f("source_topics", Text, 0, 255).array().mark(TopicName),
    f("repartition_sink_topics", Text, 0, 255).array().mark(TopicName),
    f("state_changelog_topics", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPIC_INFO), 0, 255).array(),
    f("repartition_source_topics", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPIC_INFO), 0, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY: StructRow = s(true, 56, &[(0, 6)], &[
    f("epoch", I32, 0, 255),
    f("subtopologies", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_SUBTOPOLOGY), 0, 255).array().nullable(0, 255).default_null(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_ENDPOINT: StructRow = s(false, 64, &[(0, 4)], &[
    f("host", Text, 0, 255),
    f("port", U16, 0, 255),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_OFFSET: StructRow = s(false, 72, &[(0, 14)], &[
    f("subtopology_id", Text, 0, 255),
    f("partition", I32, 0, 255),
    f("offset", I64, 0, 255),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_IDS: StructRow = s(false, 80, &[(0, 3)], &[
    f("subtopology_id", Text, 0, 255),
    f("partitions", I32, 0, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT: StructRow = s(false, 96, &[(0, 4)], &[
    f("active_tasks", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_IDS), 0, 255).array(),
    f("standby_tasks", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_IDS), 0, 255).array(),
    f("warmup_tasks", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_IDS), 0, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_MEMBER: StructRow = s(false, 552, &[(0, 28)], &[
    f("member_id", Text, 0, 255),
    f("member_epoch", I32, 0, 255),
    f("instance_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("rack_id", Text, 0, 255).nullable(0, 255).default_null(),
    f("client_id", Text, 0, 255),
    f("client_host", Text, 0, 255),
    f("topology_epoch", I32, 0, 255),
    f("process_id", Text, 0, 255),
    f("user_endpoint", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_ENDPOINT), 0, 255).nullable(0, 255).default_null(),
    f("client_tags", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_KEY_VALUE), 0, 255).array(),
    f("task_offsets", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_OFFSET), 0, 255).array(),
    f("task_end_offsets", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TASK_OFFSET), 0, 255).array(),
    f("assignment", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT), 0, 255),
    f("target_assignment", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_ASSIGNMENT), 0, 255),
    f("is_classic", Bool, 0, 255),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_NODE: StructRow = s(true, 168, &[(0, 1), (1, 7)], &[
    f("name", Text, 1, 255),
    f("node_type", I8, 1, 255),
    f("source_topics", Text, 1, 255).array().mark(TopicName),
    f("sink_topic", Text, 1, 255).nullable(1, 255).mark(TopicName).default_null(),
    f("stores", Text, 1, 255).array(),
    f("successors", Text, 1, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY: StructRow = s(true, 80, &[(0, 1), (1, 3)], &[
    f("subtopology_id", Text, 1, 255),
    f("nodes", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_NODE), 1, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_GLOBAL_STORE: StructRow = s(true, 352, &[(0, 1), (1, 15)], &[
    f("source", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_NODE), 1, 255),
    f("processor", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_NODE), 1, 255),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION: StructRow = s(true, 72, &[(0, 1), (1, 3)], &[
    f("subtopologies", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY), 1, 255).array(),
    f("global_stores", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION_GLOBAL_STORE), 1, 255).array(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0_DESCRIBED_GROUP: StructRow = s(true, 320, &[(0, 20), (1, 23)], &[
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("group_id", Text, 0, 255).mark(GroupId),
    f("group_state", Text, 0, 255),
    f("group_epoch", I32, 0, 255),
    f("assignment_epoch", I32, 0, 255),
    f("topology", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY), 0, 255).nullable(0, 255).default_null(),
    f("members", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_MEMBER), 0, 255).array(),
    f("authorized_operations", I32, 0, 255).default(-2147483648),
    f("topology_description", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_TOPOLOGY_DESCRIPTION), 1, 255).nullable(1, 255).default_null(),
    f("topology_description_status", I8, 1, 255),
    f("assignor_name", Text, 1, 255).nullable(1, 255).default_null(),
], &[]);
static STREAMS_GROUP_DESCRIBE_RESPONSE_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("groups", Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_0_DESCRIBED_GROUP), 0, 255).array(),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_0_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", I32, 0, 255).array(),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_0_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_GROUP: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_0_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC), 0, 255).array().nullable(0, 255),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_0: StructRow = s(true, 48, &[(0, 2)], &[
    f("groups", Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_0_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_GROUP), 0, 255).array(),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION: StructRow = s(false, 88, &[(0, 20), (1, 28)], &[
    f("partition_index", I32, 0, 255),
    f("start_offset", I64, 0, 255),
    f("leader_epoch", I32, 0, 255),
    f("lag", I64, 1, 255).default(-1),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: StructRow = s(true, 96, &[(0, 19)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION), 0, 255).array(),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_GROUP: StructRow = s(true, 120, &[(0, 6)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC), 0, 255).array(),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0: StructRow = s(true, 56, &[(0, 6)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("groups", Struct(&DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_0_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_GROUP), 0, 255).array(),
], &[]);
static ALTER_SHARE_GROUP_OFFSETS_REQUEST_0_ALTER_SHARE_GROUP_OFFSETS_REQUEST_PARTITION: StructRow = s(false, 40, &[(0, 13)], &[
    f("partition_index", I32, 0, 255),
    f("start_offset", I64, 0, 255),
], &[]);
static ALTER_SHARE_GROUP_OFFSETS_REQUEST_0_ALTER_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: StructRow = s(true, 80, &[(0, 3)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("partitions", Struct(&ALTER_SHARE_GROUP_OFFSETS_REQUEST_0_ALTER_SHARE_GROUP_OFFSETS_REQUEST_PARTITION), 0, 255).array(),
], &[]);
static ALTER_SHARE_GROUP_OFFSETS_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&ALTER_SHARE_GROUP_OFFSETS_REQUEST_0_ALTER_SHARE_GROUP_OFFSETS_REQUEST_TOPIC), 0, 255).array(),
], &[]);
static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_0_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION: StructRow = s(false, 64, &[(0, 8)], &[
    f("partition_index", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_0_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: StructRow = s(true, 96, &[(0, 19)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("partitions", Struct(&ALTER_SHARE_GROUP_OFFSETS_RESPONSE_0_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION), 0, 255).array(),
], &[]);
static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_0: StructRow = s(true, 88, &[(0, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("responses", Struct(&ALTER_SHARE_GROUP_OFFSETS_RESPONSE_0_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC), 0, 255).array(),
], &[]);
static DELETE_SHARE_GROUP_OFFSETS_REQUEST_0_DELETE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: StructRow = s(true, 56, &[(0, 2)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
], &[]);
static DELETE_SHARE_GROUP_OFFSETS_REQUEST_0: StructRow = s(true, 80, &[(0, 3)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("topics", Struct(&DELETE_SHARE_GROUP_OFFSETS_REQUEST_0_DELETE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC), 0, 255).array(),
], &[]);
static DELETE_SHARE_GROUP_OFFSETS_RESPONSE_0_DELETE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: StructRow = s(true, 112, &[(0, 21)], &[
    f("topic_name", Text, 0, 255).mark(TopicName),
    f("topic_id", Uuid, 0, 255).mark(TopicId),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static DELETE_SHARE_GROUP_OFFSETS_RESPONSE_0: StructRow = s(true, 88, &[(0, 9)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
    f("responses", Struct(&DELETE_SHARE_GROUP_OFFSETS_RESPONSE_0_DELETE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC), 0, 255).array(),
], &[]);
static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_NODE: StructRow = s(true, 168, &[(0, 7)], &[
    f("name", Text, 0, 255),
    f("node_type", I8, 0, 255),
    f("source_topics", Text, 0, 255).array().mark(TopicName),
    f("sink_topic", Text, 0, 255).nullable(0, 255).mark(TopicName).default_null(),
    f("stores", Text, 0, 255).array(),
    f("successors", Text, 0, 255).array(),
], &[]);
static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY: StructRow = s(true, 80, &[(0, 3)], &[
    f("subtopology_id", Text, 0, 255),
    f("nodes", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_NODE), 0, 255).array(),
], &[]);
static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_GLOBAL_STORE: StructRow = s(true, 352, &[(0, 15)], &[
    f("source", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_NODE), 0, 255),
    f("processor", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_NODE), 0, 255),
], &[]);
static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION: StructRow = s(true, 72, &[(0, 3)], &[
    f("subtopologies", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_SUBTOPOLOGY), 0, 255).array(),
    f("global_stores", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION_GLOBAL_STORE), 0, 255).array(),
], &[]);
static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0: StructRow = s(true, 168, &[(0, 10)], &[
    f("group_id", Text, 0, 255).mark(GroupId),
    f("member_id", Text, 0, 255),
    f("topology_epoch", I32, 0, 255),
    f("topology_description", Struct(&STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_REQUEST_0_TOPOLOGY_DESCRIPTION), 0, 255),
], &[]);
static STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE_RESPONSE_0: StructRow = s(false, 64, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255).default_null(),
], &[]);
static UNREGISTER_CONTROLLER_REQUEST_0: StructRow = s(false, 32, &[(0, 5)], &[
    f("controller_id", I32, 0, 255),
], &[]);
static UNREGISTER_CONTROLLER_RESPONSE_0: StructRow = s(false, 64, &[(0, 8)], &[
    f("throttle_time_ms", I32, 0, 255),
    f("error_code", I16, 0, 255),
    f("error_message", Text, 0, 255).nullable(0, 255),
], &[]);
