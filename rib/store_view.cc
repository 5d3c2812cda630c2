#include "rib/store_view.h"

#include <utility>

#include "rib/store_database.h"
#include "rib/store_reader.h"

namespace lapwing::rib {

namespace {

class StoreViewImpl final : public StoreView {
 public:
  explicit StoreViewImpl(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  bool peers(std::vector<PeerRecord>& out, std::string& error) const override {
    return load_peers(*database_, out, error);
  }
  Timestamp alive_until() const override {
    return from_unix_micros(
        static_cast<std::int64_t>(database_->meta_number(meta_key::kAlive, 0)));
  }
  void routes(const std::vector<PeerId>& peers, const Store::RouteFn& fn) const override {
    read_routes(*database_, std::nullopt, Match::kExact, peers, fn, std::nullopt);
  }

 private:
  const std::unique_ptr<Database> database_;
};

}  // namespace

std::unique_ptr<StoreView> StoreView::open(const std::filesystem::path& path, std::string& error) {
  StoreOptions options;
  options.path = path;
  std::unique_ptr<Database> database = Database::open_read_only(options, error);
  if (!database) return nullptr;
  return std::make_unique<StoreViewImpl>(std::move(database));
}

}  // namespace lapwing::rib
