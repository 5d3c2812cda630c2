// A file system that can lose its power: it knows what of it would survive.
//
// It passes everything on to the real one and keeps beside it, for each file, how much was synced,
// and for each directory, which of its entries were: a file that was made, renamed, linked or
// removed is so for good once its directory was synced after it. `lose_power_at(n, …)` lets the
// n-th change of anything from now on be preceded by a power failure: what survives is written
// below another directory. That is what was synced and, by chance, some more: of each file some of
// what was appended since, of each directory the first ones of the changes since. Afterwards
// nothing is different here. What was there at the beginning counts as synced. Files that are
// written in other ways are copied as they are. Thread: any. Owns: a descriptor of each file, so
// that removed ones can be read.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace lapwing::crash {

class PowerFs : public rocksdb::FileSystemWrapper {
 public:
  explicit PowerFs(const std::filesystem::path& root);
  ~PowerFs() override;
  const char* Name() const override { return "power"; }

  /// `lost` is called while all else waits, after the survivors were written to `survivors`.
  void lose_power_at(std::uint64_t change, const std::filesystem::path& survivors,
                     std::uint64_t seed, std::function<void()> lost);
  /// The same now, if it has not come yet.
  void lose_power_now();
  std::uint64_t changes() const { return changes_; }

  using Status = rocksdb::IOStatus;
  using Context = rocksdb::IODebugContext;
  Status NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSWritableFile>* file, Context* c) override;
  Status ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                            std::unique_ptr<rocksdb::FSWritableFile>* file, Context* c) override;
  Status ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>*, Context*) override;
  Status NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                         std::unique_ptr<rocksdb::FSRandomRWFile>*, Context*) override;
  Status NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                      std::unique_ptr<rocksdb::FSDirectory>* directory, Context* c) override;
  Status CreateDir(const std::string& name, const rocksdb::IOOptions& options, Context* c) override;
  Status CreateDirIfMissing(const std::string& name, const rocksdb::IOOptions& options,
                            Context* c) override;
  Status DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                    Context* c) override;
  Status RenameFile(const std::string& from, const std::string& to,
                    const rocksdb::IOOptions& options, Context* c) override;
  Status LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                  Context* c) override;

 private:
  struct Node;   // a file or a directory
  struct Entry;  // a change of a directory: a name, and what it then means
  class File;
  class Directory;
  using NodePtr = std::shared_ptr<Node>;

  static NodePtr scan(const std::filesystem::path& path);
  NodePtr* find(const std::string& name);  // nullptr: not below the root, or not there
  Node* parent_of(const std::string& name);
  void set(const std::string& name, NodePtr node);
  void before_change();
  void survive(const Node& node, const std::filesystem::path& real,
               const std::filesystem::path& copy);

  const std::filesystem::path root_;
  std::mutex mutex_;  // of all below, and held while anything changes
  NodePtr tree_;
  std::uint64_t changes_ = 0;
  std::uint64_t lose_at_ = 0;  // 0: never
  std::filesystem::path survivors_;
  std::mt19937_64 random_;
  std::function<void()> lost_;
};

}  // namespace lapwing::crash
