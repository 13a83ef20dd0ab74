// Produces and consumes with franz-go; see testkit/src/other_clients.rs for the arguments.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func mechanism(name, user, password string) sasl.Mechanism {
	switch name {
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	default:
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	}
}

func run() error {
	bootstrap, name, user, password, topic := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	count, _ := strconv.Atoi(os.Args[6])
	millis, _ := strconv.Atoi(os.Args[7])
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.SASL(mechanism(name, user, password)),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	limit, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	// A produce repeats a refused login until its deadline; a ping names it.
	if err := client.Ping(limit); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	for number := range count {
		record := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "v%d", number)}
		if err := client.ProduceSync(limit, record).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
		time.Sleep(time.Duration(millis) * time.Millisecond / time.Duration(count))
	}
	seen := map[string]int{}
	for len(seen) < count {
		fetches := client.PollFetches(limit)
		for _, err := range fetches.Errors() {
			return fmt.Errorf("consume: %w", err.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) { seen[string(record.Value)]++ })
	}
	for value, times := range seen {
		if times != 1 {
			return fmt.Errorf("%s came %d times", value, times)
		}
	}
	fmt.Printf("consumed %d\n", len(seen))
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(1)
	}
}
