#include <cstddef>
#include <cstdint>

#include "bgp/hash.h"
#include "bgp/record.h"
#include "bgp/update.h"

namespace {

// Every record must be readable by views that trust it.
void read_back(const lapwing::bgp::RecordBatch& batch) {
  for (const lapwing::bgp::Record& record : batch.records) {
    for (const auto& key : batch.withdrawn(record))
      if (lapwing::bgp::to_key(lapwing::bgp::to_nlri(key)) != key) __builtin_trap();
    for (const auto& key : batch.announced(record))
      if (lapwing::bgp::to_key(lapwing::bgp::to_nlri(key)) != key) __builtin_trap();
    if (record.announced == 0) continue;
    const lapwing::Octets octets = batch.attributes(record);
    if (lapwing::bgp::hash_octets(lapwing::bgp::hash_seed(), octets) != record.attributes_hash)
      __builtin_trap();
    const lapwing::PathView view(octets);
    int last = -1;
    view.for_each([&](std::uint8_t type, lapwing::Octets) {
      if (type <= last) __builtin_trap();
      last = type;
    });
    format_as_path(view.as_path());
    view.next_hop();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lapwing::bgp;
  if (size == 0) return 0;
  const unsigned choice = data[0];
  SessionParameters session = SessionParameters::of_file((choice & 1) != 0, (choice & 2) != 0);
  session.kind = static_cast<PeerKind>((choice >> 2) % 3);
  session.local_as = 64512;
  session.peer_as = session.internal() ? 64512 : 64496;
  if ((choice & 16) != 0) session.families = FamilySet();
  Update update;
  RecordBatch batch;
  if (update.parse({data + 1, size - 1}, session) == ErrorAction::kSessionReset)
    update.notification();
  update.append_records(lapwing::Timestamp{}, 0, batch);
  read_back(batch);
  return 0;
}
