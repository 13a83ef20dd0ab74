//! Arbitrary messages of every kind that carries addresses, as the oracle models them. Addresses are made first,
//! so that they do not go short of entropy.

use kafka_protocol::messages::*;

use super::entropy::Entropy;

/// NodeEndpoints look the same in four modules but are four types.
macro_rules! endpoints {
    ($module:ident, $entropy:expr) => {{
        use kafka_protocol::messages::$module::NodeEndpoint;
        $entropy.list(5, |e| {
            NodeEndpoint::default()
                .with_node_id(e.node_id())
                .with_host(e.string())
                .with_port(e.i32())
                .with_rack(e.nullable_string())
                .with_unknown_tagged_fields(e.tags(true))
        })
    }};
}

macro_rules! leader {
    ($module:ident, $entropy:expr) => {
        kafka_protocol::messages::$module::LeaderIdAndEpoch::default()
            .with_leader_id($entropy.i32().into())
            .with_leader_epoch($entropy.i32())
            .with_unknown_tagged_fields($entropy.tags(true))
    };
}

pub(crate) fn metadata(e: &mut Entropy<'_>, version: i16) -> MetadataResponse {
    use kafka_protocol::messages::metadata_response::*;
    let flexible = version >= 9;
    let brokers = e.list(8, |e| {
        MetadataResponseBroker::default()
            .with_node_id(e.node_id())
            .with_host(e.string())
            .with_port(e.i32())
            .with_rack(e.nullable_string())
            .with_unknown_tagged_fields(e.tags(flexible))
    });
    let topics = e.list(3, |e| {
        let partitions = e.list(3, |e| {
            MetadataResponsePartition::default()
                .with_error_code(e.error())
                .with_leader_id(e.node_id())
                .with_replica_nodes(e.list(3, Entropy::node_id))
                .with_unknown_tagged_fields(e.tags(flexible))
        });
        MetadataResponseTopic::default()
            .with_name(Some(e.topic()))
            .with_partitions(partitions)
            .with_unknown_tagged_fields(e.tags(flexible))
    });
    MetadataResponse::default()
        .with_throttle_time_ms(e.i32())
        .with_brokers(brokers)
        .with_cluster_id(if version >= 2 { e.nullable_string() } else { None })
        .with_controller_id(e.node_id())
        .with_topics(topics)
        .with_unknown_tagged_fields(e.tags(flexible))
}

pub(crate) fn find_coordinator(e: &mut Entropy<'_>, version: i16) -> FindCoordinatorResponse {
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    let flexible = version >= 3;
    let response = FindCoordinatorResponse::default()
        .with_throttle_time_ms(e.i32())
        .with_unknown_tagged_fields(e.tags(flexible));
    if version >= 4 {
        return response.with_coordinators(e.list(5, |e| {
            Coordinator::default()
                .with_key(e.string())
                .with_node_id(e.node_id())
                .with_host(e.string())
                .with_port(e.i32())
                .with_error_code(e.error())
                .with_error_message(e.nullable_string())
                .with_unknown_tagged_fields(e.tags(true))
        }));
    }
    response
        .with_error_code(e.error())
        .with_error_message(if version >= 1 { e.nullable_string() } else { None })
        .with_node_id(e.node_id())
        .with_host(e.string())
        .with_port(e.i32())
}

pub(crate) fn describe_cluster(e: &mut Entropy<'_>, version: i16) -> DescribeClusterResponse {
    use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
    let brokers = e.list(6, |e| {
        DescribeClusterBroker::default()
            .with_broker_id(e.node_id())
            .with_host(e.string())
            .with_port(e.i32())
            .with_rack(e.nullable_string())
            .with_is_fenced(version >= 2 && e.flag())
            .with_unknown_tagged_fields(e.tags(true))
    });
    DescribeClusterResponse::default()
        .with_throttle_time_ms(e.i32())
        .with_error_code(e.error())
        .with_error_message(e.nullable_string())
        .with_endpoint_type(if version >= 1 && e.up_to(3) == 3 { 2 } else { 1 })
        .with_cluster_id(e.string())
        .with_controller_id(e.node_id())
        .with_brokers(brokers)
        .with_cluster_authorized_operations(e.i32())
        .with_unknown_tagged_fields(e.tags(true))
}

pub(crate) fn describe_quorum(e: &mut Entropy<'_>, version: i16) -> DescribeQuorumResponse {
    use kafka_protocol::messages::describe_quorum_response::*;
    assert!(version >= 2);
    let replica = |e: &mut Entropy<'_>| {
        ReplicaState::default()
            .with_replica_id(e.node_id())
            .with_replica_directory_id(e.uuid())
            .with_log_end_offset(e.i64())
            .with_last_fetch_timestamp(e.i64())
            .with_unknown_tagged_fields(e.tags(true))
    };
    let partition = |e: &mut Entropy<'_>| {
        PartitionData::default()
            .with_error_message(e.nullable_string())
            .with_high_watermark(e.i64())
            .with_current_voters(e.list(3, replica))
            .with_observers(e.list(3, replica))
            .with_unknown_tagged_fields(e.tags(true))
    };
    let listener = |e: &mut Entropy<'_>| {
        Listener::default()
            .with_name(e.string())
            .with_host(e.string())
            .with_port(e.i16() as u16)
            .with_unknown_tagged_fields(e.tags(true))
    };
    let nodes = e.list(4, |e| {
        Node::default()
            .with_node_id(e.node_id())
            .with_listeners(e.list(3, listener))
            .with_unknown_tagged_fields(e.tags(true))
    });
    let topics = e.list(2, |e| {
        TopicData::default()
            .with_topic_name(e.topic())
            .with_partitions(e.list(2, partition))
            .with_unknown_tagged_fields(e.tags(true))
    });
    DescribeQuorumResponse::default()
        .with_error_code(e.error())
        .with_error_message(e.nullable_string())
        .with_topics(topics)
        .with_nodes(nodes)
        .with_unknown_tagged_fields(e.tags(true))
}

pub(crate) fn produce(e: &mut Entropy<'_>, version: i16) -> ProduceResponse {
    use kafka_protocol::messages::produce_response::*;
    let endpoints = endpoints!(produce_response, e);
    assert!(version >= 10);
    let partition = |e: &mut Entropy<'_>| {
        let errors = e.list(3, |e| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index_error_message(e.nullable_string())
                .with_unknown_tagged_fields(e.tags(true))
        });
        let partition = PartitionProduceResponse::default()
            .with_index(e.i32())
            .with_error_code(e.error())
            .with_base_offset(e.i64())
            .with_record_errors(errors)
            .with_error_message(e.nullable_string())
            .with_unknown_tagged_fields(e.tags(true));
        if e.flag() {
            partition.with_current_leader(leader!(produce_response, e))
        } else {
            partition
        }
    };
    let responses = e.list(3, |e| {
        let topic = TopicProduceResponse::default()
            .with_partition_responses(e.list(4, partition))
            .with_unknown_tagged_fields(e.tags(true));
        if version >= 13 {
            topic.with_topic_id(e.uuid())
        } else {
            topic.with_name(e.topic())
        }
    });
    ProduceResponse::default()
        .with_responses(responses)
        .with_throttle_time_ms(e.i32())
        .with_node_endpoints(endpoints)
        .with_unknown_tagged_fields(e.tags(true))
}

pub(crate) fn fetch(e: &mut Entropy<'_>, version: i16) -> FetchResponse {
    use kafka_protocol::messages::fetch_response::*;
    let endpoints = endpoints!(fetch_response, e);
    assert!(version >= 16);
    let partition = |e: &mut Entropy<'_>| {
        let aborted = e.flag().then(|| {
            e.list(3, |e| {
                AbortedTransaction::default()
                    .with_first_offset(e.i64())
                    .with_unknown_tagged_fields(e.tags(true))
            })
        });
        let partition = PartitionData::default()
            .with_partition_index(e.i32())
            .with_error_code(e.error())
            .with_high_watermark(e.i64())
            .with_aborted_transactions(aborted)
            .with_preferred_read_replica(e.node_id())
            .with_records(e.records())
            .with_unknown_tagged_fields(e.tags(true));
        match e.up_to(3) {
            0 => partition.with_current_leader(leader!(fetch_response, e)),
            1 => partition.with_diverging_epoch(EpochEndOffset::default().with_epoch(e.i32())),
            2 => partition.with_snapshot_id(SnapshotId::default().with_end_offset(e.i64())),
            _ => partition,
        }
    };
    let responses = e.list(3, |e| {
        FetchableTopicResponse::default()
            .with_topic_id(e.uuid())
            .with_partitions(e.list(4, partition))
            .with_unknown_tagged_fields(e.tags(true))
    });
    FetchResponse::default()
        .with_throttle_time_ms(e.i32())
        .with_error_code(e.error())
        .with_session_id(e.i32())
        .with_responses(responses)
        .with_node_endpoints(endpoints)
        .with_unknown_tagged_fields(e.tags(true))
}

pub(crate) fn share_fetch(e: &mut Entropy<'_>, _version: i16) -> ShareFetchResponse {
    use kafka_protocol::messages::share_fetch_response::*;
    let endpoints = endpoints!(share_fetch_response, e);
    let partition = |e: &mut Entropy<'_>| {
        let acquired = e.list(3, |e| {
            AcquiredRecords::default()
                .with_first_offset(e.i64())
                .with_delivery_count(e.i16())
                .with_unknown_tagged_fields(e.tags(true))
        });
        PartitionData::default()
            .with_partition_index(e.i32())
            .with_error_message(e.nullable_string())
            .with_acknowledge_error_code(e.error())
            .with_acknowledge_error_message(e.nullable_string())
            .with_current_leader(leader!(share_fetch_response, e))
            .with_records(e.records())
            .with_acquired_records(acquired)
            .with_unknown_tagged_fields(e.tags(true))
    };
    let responses = e.list(3, |e| {
        ShareFetchableTopicResponse::default()
            .with_topic_id(e.uuid())
            .with_partitions(e.list(3, partition))
            .with_unknown_tagged_fields(e.tags(true))
    });
    ShareFetchResponse::default()
        .with_throttle_time_ms(e.i32())
        .with_error_message(e.nullable_string())
        .with_acquisition_lock_timeout_ms(e.i32())
        .with_responses(responses)
        .with_node_endpoints(endpoints)
        .with_unknown_tagged_fields(e.tags(true))
}

pub(crate) fn share_acknowledge(e: &mut Entropy<'_>, _version: i16) -> ShareAcknowledgeResponse {
    use kafka_protocol::messages::share_acknowledge_response::*;
    let endpoints = endpoints!(share_acknowledge_response, e);
    let responses = e.list(3, |e| {
        let partitions = e.list(3, |e| {
            PartitionData::default()
                .with_partition_index(e.i32())
                .with_error_message(e.nullable_string())
                .with_current_leader(leader!(share_acknowledge_response, e))
                .with_unknown_tagged_fields(e.tags(true))
        });
        ShareAcknowledgeTopicResponse::default()
            .with_topic_id(e.uuid())
            .with_partitions(partitions)
            .with_unknown_tagged_fields(e.tags(true))
    });
    ShareAcknowledgeResponse::default()
        .with_throttle_time_ms(e.i32())
        .with_error_message(e.nullable_string())
        .with_responses(responses)
        .with_node_endpoints(endpoints)
        .with_unknown_tagged_fields(e.tags(true))
}
