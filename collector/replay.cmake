# MRT files as a source of records.
find_package(BZip2 REQUIRED GLOBAL)
find_package(LibLZMA GLOBAL)
find_package(ZLIB REQUIRED GLOBAL)

add_library(lapwing_replay STATIC
  ${CMAKE_CURRENT_LIST_DIR}/decoder.cc
  ${CMAKE_CURRENT_LIST_DIR}/input_file.cc
  ${CMAKE_CURRENT_LIST_DIR}/mrt_cursor.cc
  ${CMAKE_CURRENT_LIST_DIR}/mrt_peers.cc
  ${CMAKE_CURRENT_LIST_DIR}/mrt_source.cc
  ${CMAKE_CURRENT_LIST_DIR}/mrt_source_table.cc
  ${CMAKE_CURRENT_LIST_DIR}/mrt_collectors.cc)
target_link_libraries(lapwing_replay
  PUBLIC lapwing_wire
  PRIVATE BZip2::BZip2 ZLIB::ZLIB ${LAPWING_ZSTD} Threads::Threads)
if(LibLZMA_FOUND)
  target_link_libraries(lapwing_replay PRIVATE LibLZMA::LibLZMA)
  target_compile_definitions(lapwing_replay PRIVATE LAPWING_HAVE_LZMA)
endif()
