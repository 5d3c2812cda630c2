lapwing_test(NAME store_test
  SOURCES
    unit/store_codec_test.cc
    unit/store_crash_test.cc
    unit/store_disk_test.cc
    unit/store_history_log_test.cc
    unit/store_journal_test.cc
    unit/store_query_test.cc
    unit/store_table_test.cc
  LIBS lapwing_store RocksDB::rocksdb)
