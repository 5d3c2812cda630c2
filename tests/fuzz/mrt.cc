#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bgp/mrt.h"
#include "bgp/mrt_encode.h"

namespace {

using namespace lapwing::bgp;

void parse(const mrt::RecordView& record) {
  mrt::PeerIndexTable index;
  if (!mrt::parse_peer_index_table(record.body, index)) (void)mrt::read_mark(index);
  mrt::RibRecord rib;
  if (!mrt::parse_rib(record, rib)) {
    mrt::RibEntry entry;
    mrt::Fault fault;
    while (rib.next(entry, fault)) {
    }
  }
  mrt::TableDumpEntry entry;
  (void)mrt::parse_table_dump(record, entry).reason;
  mrt::Bgp4mp message;
  (void)mrt::parse_bgp4mp(record, message).reason;
  mrt::Bgp4mpEntry old_entry;
  (void)mrt::parse_bgp4mp_entry(record, old_entry).reason;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lapwing::Octets input(data, size);
  while (input.size() >= mrt::kHeaderSize) {
    const mrt::Header header = mrt::read_header(input.data());
    input = input.subspan(mrt::kHeaderSize);
    const std::size_t length = std::min<std::size_t>(header.length, input.size());
    mrt::RecordView record;
    if (!mrt::open_record(header, input.first(length), record)) parse(record);
    input = input.subspan(length);
  }
  return 0;
}
