#include "sim/faults/crash_vfs.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/base/call_once.h"
#include "absl/strings/string_view.h"
#include "sqlite3.h"

#include "common/check.h"

namespace berth::sim {
namespace {

thread_local CrashDisk* disk_of_thread = nullptr;

struct File {
  sqlite3_file base;  // first: SQLite knows only this part
  CrashDisk* disk;
  std::string* name;
  bool delete_on_close;
};

File& FileOf(sqlite3_file* file) {
  return *reinterpret_cast<File*>(file);
}

// `failed` says what could not be done.
int CodeOf(CrashDisk::Result result, int failed) {
  switch (result) {
    case CrashDisk::Result::kOk:
      return SQLITE_OK;
    case CrashDisk::Result::kShort:
      return SQLITE_IOERR_SHORT_READ;
    case CrashDisk::Result::kNoRoom:
      return SQLITE_FULL;
    case CrashDisk::Result::kFailed:
      return failed;
  }
  return failed;
}

int Close(sqlite3_file* handle) {
  File& file = FileOf(handle);
  if (file.delete_on_close) {
    file.disk->Delete(*file.name, false);
  }
  delete file.name;
  file.name = nullptr;
  return SQLITE_OK;
}

int Read(sqlite3_file* handle, void* bytes, int size, sqlite3_int64 offset) {
  File& file = FileOf(handle);
  absl::string_view piece;
  const CrashDisk::Result result = file.disk->Read(*file.name, offset, &piece, size);
  if (result == CrashDisk::Result::kOk || result == CrashDisk::Result::kShort) {
    std::memset(bytes, 0, static_cast<size_t>(size));
    std::copy(piece.begin(), piece.end(), static_cast<char*>(bytes));
  }
  return CodeOf(result, SQLITE_IOERR_READ);
}

int Write(sqlite3_file* handle, const void* bytes, int size, sqlite3_int64 offset) {
  File& file = FileOf(handle);
  return CodeOf(file.disk->Write(
                    *file.name, offset,
                    absl::string_view(static_cast<const char*>(bytes), static_cast<size_t>(size))),
                SQLITE_IOERR_WRITE);
}

int Truncate(sqlite3_file* handle, sqlite3_int64 size) {
  File& file = FileOf(handle);
  return CodeOf(file.disk->Truncate(*file.name, size), SQLITE_IOERR_TRUNCATE);
}

int Sync(sqlite3_file* handle, int /*flags*/) {
  File& file = FileOf(handle);
  return CodeOf(file.disk->Sync(*file.name), SQLITE_IOERR_FSYNC);
}

int FileSize(sqlite3_file* handle, sqlite3_int64* size) {
  File& file = FileOf(handle);
  int64_t bytes = 0;
  const CrashDisk::Result result = file.disk->Size(*file.name, &bytes);
  *size = bytes;
  return CodeOf(result, SQLITE_IOERR_FSTAT);
}

// One process has the disk.
int Lock(sqlite3_file* /*handle*/, int /*level*/) {
  return SQLITE_OK;
}
int CheckReservedLock(sqlite3_file* /*handle*/, int* is_held) {
  *is_held = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file* /*handle*/, int /*operation*/, void* /*argument*/) {
  return SQLITE_NOTFOUND;
}
int SectorSize(sqlite3_file* /*handle*/) {
  return 4096;
}
// What SQLite believes of files on Linux as well.
int Characteristics(sqlite3_file* /*handle*/) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// Version 1: without shared memory, as the exclusive mode needs none.
constexpr sqlite3_io_methods kMethods = {1,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Lock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         Characteristics,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr};

sqlite3_vfs* SystemVfs() {
  static sqlite3_vfs* const kSystem = sqlite3_vfs_find("unix");
  return kSystem;
}

int OpenFile(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* handle, int flags,
             int* flags_out) {
  CrashDisk* const disk = disk_of_thread;
  if (disk == nullptr) {
    return SystemVfs()->xOpen(SystemVfs(), name, handle, flags, flags_out);
  }
  BERTH_CHECK(name != nullptr);  // the store keeps what is temporary in memory
  File& file = FileOf(handle);
  file = File();
  if (disk->Open(name, (flags & SQLITE_OPEN_CREATE) != 0) != CrashDisk::Result::kOk) {
    return SQLITE_CANTOPEN;
  }
  file.base.pMethods = &kMethods;
  file.disk = disk;
  file.name = new std::string(name);
  file.delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (flags_out != nullptr) {
    *flags_out = flags;
  }
  return SQLITE_OK;
}

int DeleteFile(sqlite3_vfs* /*vfs*/, const char* name, int sync_folder) {
  if (disk_of_thread == nullptr) {
    return SystemVfs()->xDelete(SystemVfs(), name, sync_folder);
  }
  const CrashDisk::Result result = disk_of_thread->Delete(name, sync_folder != 0);
  return result == CrashDisk::Result::kShort ? SQLITE_IOERR_DELETE_NOENT
                                             : CodeOf(result, SQLITE_IOERR_DELETE);
}

int Access(sqlite3_vfs* /*vfs*/, const char* name, int flags, int* is_possible) {
  if (disk_of_thread == nullptr) {
    return SystemVfs()->xAccess(SystemVfs(), name, flags, is_possible);
  }
  int64_t size = 0;
  // As SQLite has it on Linux: an empty file is none.
  *is_possible = disk_of_thread->Exists(name) &&
                         disk_of_thread->Size(name, &size) == CrashDisk::Result::kOk && size > 0
                     ? 1
                     : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs* /*vfs*/, const char* name, int size, char* path) {
  if (disk_of_thread == nullptr) {
    return SystemVfs()->xFullPathname(SystemVfs(), name, size, path);
  }
  return sqlite3_snprintf(size, path, "%s", name) == nullptr ? SQLITE_CANTOPEN : SQLITE_OK;
}

void Register() {
  static sqlite3_vfs vfs = *SystemVfs();
  vfs.zName = "berth-crash";
  vfs.pNext = nullptr;
  vfs.szOsFile = std::max(vfs.szOsFile, static_cast<int>(sizeof(File)));
  vfs.xOpen = OpenFile;
  vfs.xDelete = DeleteFile;
  vfs.xAccess = Access;
  vfs.xFullPathname = FullPathname;
  BERTH_CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

}  // namespace

CrashDiskScope::CrashDiskScope(CrashDisk& disk) : outer_(disk_of_thread) {
  static absl::once_flag once;
  absl::call_once(once, Register);
  disk_of_thread = &disk;
}

CrashDiskScope::~CrashDiskScope() {
  disk_of_thread = outer_;
}

}  // namespace berth::sim
