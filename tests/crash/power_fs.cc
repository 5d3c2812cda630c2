#include "tests/crash/power_fs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace lapwing::crash {

namespace fs = std::filesystem;

struct PowerFs::Entry {
  std::string name;
  NodePtr node;  // none: removed
};

struct PowerFs::Node {
  explicit Node(bool is_directory) : directory(is_directory) {}
  ~Node() {
    if (fd >= 0) ::close(fd);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void set(const std::string& name, NodePtr node) {
    if (node)
      entries[name] = node;
    else
      entries.erase(name);
    unsynced.push_back({name, std::move(node)});
  }
  void sync() {
    synced_entries = entries;
    unsynced.clear();
  }

  const bool directory;
  // A directory.
  std::map<std::string, NodePtr> entries, synced_entries;
  std::vector<Entry> unsynced;
  // A file.
  int fd = -1;
  std::uint64_t size = 0;
  std::uint64_t synced = 0;
};

class PowerFs::File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile>&& file, PowerFs& power, NodePtr node)
      : FSWritableFileOwnerWrapper(std::move(file)), power_(power), node_(std::move(node)) {}

  Status Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                Context* c) override {
    const std::lock_guard lock(power_.mutex_);
    power_.before_change();
    return grown(FSWritableFileOwnerWrapper::Append(data, options, c), data.size());
  }
  Status Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                const rocksdb::DataVerificationInfo&, Context* c) override {
    return Append(data, options, c);
  }
  Status PositionedAppend(const rocksdb::Slice&, std::uint64_t, const rocksdb::IOOptions&,
                          Context*) override {
    return Status::NotSupported();
  }
  Status Sync(const rocksdb::IOOptions& options, Context* c) override {
    const std::lock_guard lock(power_.mutex_);
    power_.before_change();
    return synced(FSWritableFileOwnerWrapper::Sync(options, c));
  }
  Status Fsync(const rocksdb::IOOptions& options, Context* c) override { return Sync(options, c); }
  Status Truncate(std::uint64_t size, const rocksdb::IOOptions& options, Context* c) override {
    const std::lock_guard lock(power_.mutex_);
    power_.before_change();
    node_->size = std::min(node_->size, size);
    return FSWritableFileOwnerWrapper::Truncate(size, options, c);
  }

 private:
  Status grown(Status status, std::size_t octets) {
    if (status.ok()) node_->size += octets;
    return status;
  }
  Status synced(Status status) {
    if (status.ok()) node_->synced = node_->size;
    return status;
  }
  PowerFs& power_;
  const NodePtr node_;
};

class PowerFs::Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory>&& directory, PowerFs& power, NodePtr node)
      : FSDirectoryWrapper(std::move(directory)), power_(power), node_(std::move(node)) {}
  Status Fsync(const rocksdb::IOOptions& options, Context* c) override {
    const std::lock_guard lock(power_.mutex_);
    power_.before_change();
    node_->sync();
    return FSDirectoryWrapper::Fsync(options, c);
  }
  Status FsyncWithDirOptions(const rocksdb::IOOptions& options, Context* c,
                             const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, c);
  }

 private:
  PowerFs& power_;
  const NodePtr node_;
};

PowerFs::PowerFs(const fs::path& root)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), root_(root), tree_(scan(root)) {}

PowerFs::~PowerFs() = default;

PowerFs::NodePtr PowerFs::scan(const fs::path& path) {
  auto node = std::make_shared<Node>(fs::is_directory(path));
  if (!node->directory) {
    node->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    node->size = node->synced = fs::file_size(path);
    return node;
  }
  for (const auto& entry : fs::directory_iterator(path))
    node->entries[entry.path().filename().string()] = scan(entry.path());
  node->sync();
  return node;
}

PowerFs::NodePtr* PowerFs::find(const std::string& name) {
  const fs::path relative = fs::path(name).lexically_normal().lexically_relative(root_);
  if (relative.empty() || *relative.begin() == "..") return nullptr;
  NodePtr* node = &tree_;
  for (const fs::path& part : relative) {
    if (part == "." || part.empty()) continue;
    const auto it = (*node)->entries.find(part.string());
    if (it != (*node)->entries.end()) {
      node = &it->second;
      continue;
    }
    // Made in another way: it is what it is.
    const fs::path real = fs::path(name).lexically_normal();
    if (!fs::exists(real) || real.parent_path() / part != real) return nullptr;
    const auto made = (*node)->entries.emplace(part.string(), scan(real)).first;
    (*node)->synced_entries.insert(*made);
    node = &made->second;
  }
  return node;
}

PowerFs::Node* PowerFs::parent_of(const std::string& name) {
  NodePtr* const parent = find(fs::path(name).lexically_normal().parent_path().string());
  return parent == nullptr ? nullptr : parent->get();
}

void PowerFs::set(const std::string& name, NodePtr node) {
  if (Node* const parent = parent_of(name))
    parent->set(fs::path(name).lexically_normal().filename().string(), std::move(node));
}

void PowerFs::before_change() {
  if (++changes_ == lose_at_) {
    survive(*tree_, root_, survivors_);
    lose_at_ = 0;
    lost_();
  }
}

void PowerFs::lose_power_at(std::uint64_t change, const fs::path& survivors, std::uint64_t seed,
                            std::function<void()> lost) {
  const std::lock_guard lock(mutex_);
  lose_at_ = changes_ + change;
  survivors_ = survivors;
  random_.seed(seed);
  lost_ = std::move(lost);
}

void PowerFs::lose_power_now() {
  const std::lock_guard lock(mutex_);
  if (lose_at_ == 0) return;
  lose_at_ = changes_ + 1;
  before_change();
}

void PowerFs::survive(const Node& node, const fs::path& real, const fs::path& copy) {
  if (!node.directory) {
    const std::uint64_t unsynced = node.size > node.synced ? node.size - node.synced : 0;
    std::string octets(node.synced + (unsynced != 0 ? random_() % (unsynced + 1) : 0), '\0');
    const ssize_t n = ::pread(node.fd, octets.data(), octets.size(), 0);
    octets.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    std::ofstream(copy, std::ios::binary) << octets;
    return;
  }
  fs::create_directories(copy);
  std::map<std::string, NodePtr> entries = node.synced_entries;
  const std::size_t more = random_() % (node.unsynced.size() + 1);
  for (std::size_t i = 0; i < more; ++i) {
    const Entry& change = node.unsynced[i];
    if (change.node)
      entries[change.name] = change.node;
    else
      entries.erase(change.name);
  }
  for (const auto& [name, entry] : entries) survive(*entry, real / name, copy / name);
  // What was written in other ways.
  for (const auto& entry : fs::directory_iterator(real)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && !node.entries.contains(name))
      fs::copy_file(entry.path(), copy / name, fs::copy_options::overwrite_existing);
  }
}

PowerFs::Status PowerFs::NewWritableFile(const std::string& name,
                                         const rocksdb::FileOptions& options,
                                         std::unique_ptr<rocksdb::FSWritableFile>* file,
                                         Context* c) {
  const std::lock_guard lock(mutex_);
  before_change();
  std::unique_ptr<rocksdb::FSWritableFile> inner;
  target()->DeleteFile(name, rocksdb::IOOptions(), c).PermitUncheckedError();
  const Status status = target()->NewWritableFile(name, options, &inner, c);
  if (!status.ok()) return status;
  auto node = std::make_shared<Node>(false);
  node->fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  set(name, node);
  *file = std::make_unique<File>(std::move(inner), *this, std::move(node));
  return status;
}

PowerFs::Status PowerFs::ReopenWritableFile(const std::string& name,
                                            const rocksdb::FileOptions& options,
                                            std::unique_ptr<rocksdb::FSWritableFile>* file,
                                            Context* c) {
  const std::lock_guard lock(mutex_);
  NodePtr* const node = find(name);
  std::unique_ptr<rocksdb::FSWritableFile> inner;
  const Status status = target()->ReopenWritableFile(name, options, &inner, c);
  if (!status.ok()) return status;
  if (node == nullptr) throw std::logic_error("a file that was not there is opened again: " + name);
  *file = std::make_unique<File>(std::move(inner), *this, *node);
  return status;
}

PowerFs::Status PowerFs::ReuseWritableFile(const std::string&, const std::string&,
                                           const rocksdb::FileOptions&,
                                           std::unique_ptr<rocksdb::FSWritableFile>*, Context*) {
  return Status::NotSupported();
}

PowerFs::Status PowerFs::NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                                         std::unique_ptr<rocksdb::FSRandomRWFile>*, Context*) {
  return Status::NotSupported();
}

PowerFs::Status PowerFs::NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                      std::unique_ptr<rocksdb::FSDirectory>* directory,
                                      Context* c) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<rocksdb::FSDirectory> inner;
  const Status status = target()->NewDirectory(name, options, &inner, c);
  if (!status.ok()) return status;
  NodePtr* const node = find(name);
  if (node == nullptr)
    *directory = std::move(inner);
  else
    *directory = std::make_unique<Directory>(std::move(inner), *this, *node);
  return status;
}

PowerFs::Status PowerFs::CreateDir(const std::string& name, const rocksdb::IOOptions& options,
                                   Context* c) {
  const std::lock_guard lock(mutex_);
  before_change();
  const Status status = target()->CreateDir(name, options, c);
  if (status.ok()) set(name, std::make_shared<Node>(true));
  return status;
}

PowerFs::Status PowerFs::CreateDirIfMissing(const std::string& name,
                                            const rocksdb::IOOptions& options, Context* c) {
  return fs::exists(name) ? Status::OK() : CreateDir(name, options, c);
}

PowerFs::Status PowerFs::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                    Context* c) {
  const std::lock_guard lock(mutex_);
  before_change();
  NodePtr* const node = find(name);
  const Status status = target()->DeleteFile(name, options, c);
  if (status.ok() && node != nullptr) set(name, nullptr);
  return status;
}

PowerFs::Status PowerFs::RenameFile(const std::string& from, const std::string& to,
                                    const rocksdb::IOOptions& options, Context* c) {
  const std::lock_guard lock(mutex_);
  before_change();
  NodePtr* const node = find(from);
  const NodePtr moved = node != nullptr ? *node : nullptr;
  const Status status = target()->RenameFile(from, to, options, c);
  if (!status.ok() || !moved) return status;
  set(to, moved);
  set(from, nullptr);
  return status;
}

PowerFs::Status PowerFs::LinkFile(const std::string& from, const std::string& to,
                                  const rocksdb::IOOptions& options, Context* c) {
  const std::lock_guard lock(mutex_);
  before_change();
  NodePtr* const node = find(from);
  const NodePtr linked = node != nullptr ? *node : nullptr;
  const Status status = target()->LinkFile(from, to, options, c);
  if (status.ok() && linked) set(to, linked);
  return status;
}

}  // namespace lapwing::crash
