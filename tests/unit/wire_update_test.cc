// Findings, notifications and the parts of Update that no RFC section names.
#include <doctest/doctest.h>

#include "bgp/notification.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

TEST_CASE("findings: the first of the strongest is kept however many there are") {
  Findings findings;
  CHECK(findings.empty());
  CHECK(findings.action() == ErrorAction::kNone);
  for (std::uint8_t i = 0; i < 20; ++i)
    findings.add({ErrorAction::kAttributeDiscard, i, 0, "x", "y", {}});
  findings.add({ErrorAction::kTreatAsWithdraw, 77, 0, "x", "y", {}});
  findings.add({ErrorAction::kTreatAsWithdraw, 78, 0, "x", "y", {}});
  CHECK(findings.total() == 22);
  CHECK(findings.end() - findings.begin() == Findings::kMax);
  CHECK(findings.action() == ErrorAction::kTreatAsWithdraw);
  CHECK(findings.strongest().type == 77);
  findings.clear();
  CHECK(findings.empty());
  CHECK(findings.action() == ErrorAction::kNone);
}

TEST_CASE("a finding names type, reason, RFC and the octets at fault") {
  const Buffer bad = attr(0xc0, 8, {1, 2, 3});
  const Parsed parsed(update(mandatory() + bad, nlri("10.0.0.0/8")), external_session());
  REQUIRE(parsed.update.findings().total() == 1);
  const Finding& finding = *parsed.update.findings().begin();
  CHECK(finding.type == attribute::kCommunities);
  CHECK(finding.reason == "wrong length");
  CHECK(finding.rfc == "RFC 7606 7.8");
  CHECK(Buffer(finding.octets.begin(), finding.octets.end()) == bad);
}

TEST_CASE("RFC 4271 6.3: a NOTIFICATION about an attribute carries the attribute with its flags") {
  const Buffer bad = attr(0xc0, 8, {1, 2, 3});
  const Parsed parsed(update(origin() + bad), external_session());
  const Notification n = parsed.update.notification();
  CHECK(n.code == error::kUpdate);
  CHECK(n.subcode == error::kAttributeLength);
  CHECK(Buffer(n.data.begin(), n.data.end()) == bad);
  const Parsed list(hex("0009 0000"), external_session());
  CHECK(list.update.notification().data.empty());
}

TEST_CASE("a batch that is used again needs no more memory for the same messages") {
  const Buffer body =
      update(mandatory() + attr(0xc0, 8, u32(1)), nlri("10.0.0.0/8"), nlri("11.0.0.0/8"));
  Update reader;
  RecordBatch batch;
  const SessionParameters session = external_session();
  const auto fill = [&] {
    batch.clear();
    for (int i = 0; i < 100; ++i) {
      reader.parse(body, session);
      reader.append_records(from_unix_micros(i), 0, batch);
    }
    return batch.footprint();
  };
  const std::size_t first = fill();
  CHECK(fill() == first);
  CHECK(batch.records.size() == 100);
  for (const Record& record : batch.records) {
    CHECK(record.attributes_hash == batch.records[0].attributes_hash);
    CHECK(record.nlri_at % 2 == 0);
  }
}

TEST_CASE("the bound of the canonical form holds for messages made to break it") {
  SessionParameters session = external_session();
  session.four_octet_as = false;
  Buffer narrow;
  for (int i = 0; i < 800; ++i) narrow = narrow + segment(1, {65535}, 2);
  Buffer empties = origin() + attr(0x40, 2, narrow) + next_hop();
  for (unsigned type = 129; type < 256; ++type) empties = empties + attr(0xc0, type, {});
  const Parsed parsed(update(empties + attr(0xc0, 7, Buffer(6, 1)), nlri("10.0.0.0/8")), session);
  CHECK(parsed.action() == ErrorAction::kNone);
  unsigned count = 0;
  parsed.path().for_each([&count](std::uint8_t, Octets) { ++count; });
  CHECK(count == 4 + 127);
}
