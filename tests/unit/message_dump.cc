// What the codec makes of single messages, for tests/interop/captures.py.
//
// Reads lines "FLAGS HEX" from standard input and writes one line for each: the type, the strongest
// action or the NOTIFICATION that the message would get, then +PREFIX and -PREFIX for each NLRI. FLAGS:
// letters 4 (4-octet ASNs), a (path identifiers), i (from an internal neighbour), or "-".
#include <iostream>
#include <string>
#include <vector>

#include "bgp/message.h"
#include "bgp/notification.h"
#include "bgp/open.h"
#include "bgp/update.h"

namespace {

using namespace lapwing;
using namespace lapwing::bgp;

std::vector<std::uint8_t> octets_of(const std::string& hex) {
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  return out;
}

std::string code_of(const Notification& n) {
  return std::to_string(n.code) + "/" + std::to_string(n.subcode);
}

void dump_update(Octets body, const std::string& flags) {
  const auto has = [&](char c) { return flags.find(c) != std::string::npos; };
  const SessionParameters session = SessionParameters::of_file(has('4'), has('a'));
  Update update;
  RecordBatch batch;
  const ErrorAction action = update.parse(body, session);
  std::cout << "UPDATE "
            << (action == ErrorAction::kNone           ? "ok"
                : action == ErrorAction::kSessionReset ? "reset " + code_of(update.notification())
                                                       : std::string(to_string(action)));
  if (update.ignored_families() != 0) std::cout << ", ignored";
  update.append_records(Timestamp{}, 0, batch);
  for (const Record& record : batch.records) {
    if (record.kind == RecordKind::kEndOfRib) std::cout << " end-of-rib";
    for (const NlriKey& key : batch.withdrawn(record))
      std::cout << " -" << format_prefix(to_nlri(key).prefix);
    for (const NlriKey& key : batch.announced(record))
      std::cout << " +" << format_prefix(to_nlri(key).prefix);
  }
  std::cout << "\n";
}

void dump(const std::string& flags, const std::vector<std::uint8_t>& message) {
  const Frame frame = frame_message(message, kMaxExtendedMessageSize);
  if (frame.state == Frame::State::kError) {
    std::cout << "ERROR " << code_of(frame.error) << "\n";
    return;
  }
  if (frame.state == Frame::State::kNeedMore) {
    std::cout << "PARTIAL\n";
    return;
  }
  switch (frame.type) {
    case MessageType::kOpen: {
      Open open;
      const auto error = decode_open(frame.body, open);
      std::cout << "OPEN " << (error ? "error " + code_of(*error) : "ok, AS " + std::to_string(open.as));
      if (open.capabilities.four_octet_as) std::cout << " four-octet";
      for (const AddPathFamily& f : open.capabilities.add_path)
        std::cout << (f.send ? " sends-ids" : "") << (f.receive ? " takes-ids" : "");
      std::cout << "\n";
      break;
    }
    case MessageType::kUpdate: dump_update(frame.body, flags); break;
    case MessageType::kNotification:
      std::cout << "NOTIFICATION " << describe_notification(decode_notification(frame.body)) << "\n";
      break;
    case MessageType::kKeepalive: std::cout << "KEEPALIVE\n"; break;
    case MessageType::kRouteRefresh: std::cout << "ROUTE-REFRESH\n"; break;
  }
}

}  // namespace

int main() {
  std::string flags;
  std::string hex;
  while (std::cin >> flags >> hex) dump(flags, octets_of(hex));
  return 0;
}
