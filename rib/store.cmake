
# Store part: RocksDB. Its headers are SYSTEM and stay inside rib/store*.
add_library(lapwing_store STATIC
  store.cc
  store_check.cc
  store_codec.cc
  store_database.cc
  store_event_codec.cc
  store_group.cc
  store_history.cc
  store_history_log.cc
  store_journal.cc
  store_journal_retention.cc
  store_keys.cc
  store_logger.cc
  store_queue.cc
  store_reader.cc
  store_view.cc
  store_writer.cc)
target_include_directories(lapwing_store PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(lapwing_store PUBLIC lapwing_engine PRIVATE RocksDB::rocksdb ${LAPWING_ZSTD} Threads::Threads)
