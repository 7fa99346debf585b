#include "sim/faults/sqlite_disk.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/status_macros.h"
#include "sim/faults/crash_vfs.h"

namespace berth::sim {
namespace {

StoreOptions OptionsFor(const std::string& path) {
  StoreOptions options;
  options.path = path;
  options.ballast_bytes = 0;
  // So that the log begins anew now and then.
  options.wal_pages_max = 64;
  return options;
}

}  // namespace

NewDatabase::NewDatabase() {
  folder_ = (std::filesystem::temp_directory_path() / "berth-sim-XXXXXX").string();
  BERTH_CHECK(mkdtemp(folder_.data()) != nullptr);
  BERTH_CHECK(Store::Open(OptionsFor(path())).ok());
  std::ostringstream content;
  content << std::ifstream(path(), std::ios::binary).rdbuf();
  content_ = content.str();
}

NewDatabase::~NewDatabase() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

SqliteDisk::SqliteDisk(const NewDatabase& database, uint64_t seed)
    : path_(database.path()), disk_(seed), cuts_power_(seed % 3 != 0) {
  disk_.Put(path_, database.content());
}

absl::StatusOr<uint64_t> SqliteDisk::Open() {
  const CrashDiskScope scope(disk_);
  ASSIGN_OR_RETURN(store_, Store::Open(OptionsFor(path_)));
  return store_->sched_epoch();
}

absl::StatusOr<StoredState> SqliteDisk::Load() {
  const CrashDiskScope scope(disk_);
  ASSIGN_OR_RETURN(StoredState state, store_->Load());
  RETURN_IF_ERROR(committed_.CheckSame(state));
  return state;
}

absl::Status SqliteDisk::Save(const DiskTurn& turn) {
  RETURN_IF_ERROR(store_->Begin());
  RETURN_IF_ERROR(store_->SaveChanges(turn.changes));
  for (const SubmissionRecord& submission : turn.submissions) {
    RETURN_IF_ERROR(store_->SaveSubmission(submission));
  }
  if (turn.ends_recovery) {
    RETURN_IF_ERROR(store_->EndRecovery());
  }
  return store_->Commit();
}

absl::Status SqliteDisk::Commit(const DiskTurn& turn) {
  const CrashDiskScope scope(disk_);
  RETURN_IF_ERROR(Save(turn));
  return committed_.Commit(turn);
}

std::optional<JobId> SqliteDisk::FindSubmission(TenantId tenant, absl::string_view key) {
  const CrashDiskScope scope(disk_);
  const auto known = store_->FindSubmission(tenant, key);
  BERTH_CHECK(known.ok());
  return known->has_value() ? std::optional((*known)->job) : std::nullopt;
}

std::string SqliteDisk::GetPayload(JobId job) {
  const CrashDiskScope scope(disk_);
  absl::StatusOr<std::string> payload = store_->GetJobPayload(job);
  BERTH_CHECK(payload.ok());
  return *std::move(payload);
}

void SqliteDisk::Crash() {
  const CrashDiskScope scope(disk_);
  if (std::exchange(cuts_power_, !cuts_power_)) {
    disk_.CutPower();
  } else {
    disk_.EndProcess();
  }
  store_.reset();
  disk_.Restart();
}

bool SqliteDisk::Knows(JobId job) {
  const CrashDiskScope scope(disk_);
  return store_->GetJobPayload(job).ok();
}

}  // namespace berth::sim
