#include "scheduler/store/allocation_rows.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr char kColumns[] =
    "a.id, a.job_id, a.attempt, a.rank, a.node_id, a.tenant_id, a.project_id, a.class_id, "
    "a.cpu_milli, a.memory_mib, a.reserved_us, a.state, a.assign_seq, a.released_us, a.evidence";

bool IsReleased(const Allocation& allocation) {
  return allocation.state == AllocationState::kReleased;
}

absl::Status InsertDevice(Database& database, const Allocation& allocation,
                          const DeviceShare& device) {
  Statement row = database.Prepare(
      "INSERT INTO allocation_devices (allocation_id, device_index, node_id, uuid, class_id, "
      "milli, tenant_id, from_us, to_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.BindId(allocation.id);
  row.BindInt(device.index);
  row.BindId(allocation.node);
  row.BindText(device.uuid);
  row.BindId(allocation.device_class);
  row.BindInt(device.milli);
  row.BindId(allocation.tenant);
  row.BindTime(allocation.reserved_at);
  row.BindTime(allocation.released_at);
  return row.Run();
}

absl::Status Insert(Database& database, const Allocation& allocation) {
  {
    Statement row = database.Prepare(
        "INSERT INTO allocations (id, job_id, attempt, rank, node_id, tenant_id, project_id, "
        "class_id, cpu_milli, memory_mib, reserved_us, state, assign_seq, released_us, evidence) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.BindId(allocation.id);
    row.BindId(allocation.job);
    row.BindInt(allocation.attempt);
    row.BindInt(allocation.rank);
    row.BindId(allocation.node);
    row.BindId(allocation.tenant);
    row.BindId(allocation.project);
    row.BindId(allocation.device_class);
    row.BindInt(allocation.host.cpu_milli);
    row.BindInt(allocation.host.memory_mib);
    row.BindTime(allocation.reserved_at);
    row.BindWord(allocation.state);
    row.BindInt(allocation.assign_seq);
    row.BindTime(allocation.released_at);
    row.BindWord(allocation.evidence);
    RETURN_IF_ERROR(row.Run());
  }
  for (const DeviceShare& device : allocation.devices) {
    RETURN_IF_ERROR(InsertDevice(database, allocation, device));
  }
  return absl::OkStatus();
}

// Returns: whether the row was there. A second write of the same release is no change.
absl::StatusOr<bool> Update(Database& database, const Allocation& allocation) {
  {
    Statement row = database.Prepare(
        "UPDATE allocations SET state = ?, assign_seq = ?, released_us = ?, evidence = ? "
        "WHERE id = ? AND NOT (released_us IS ?3 AND released_us IS NOT NULL AND evidence = ?4)");
    row.BindWord(allocation.state);
    row.BindInt(allocation.assign_seq);
    row.BindTime(allocation.released_at);
    row.BindWord(allocation.evidence);
    row.BindId(allocation.id);
    RETURN_IF_ERROR(row.Run());
  }
  if (database.changes() == 0) {
    Statement row = database.Prepare("SELECT 1 FROM allocations WHERE id = ?");
    row.BindId(allocation.id);
    return row.Step();
  }
  if (IsReleased(allocation)) {
    Statement devices =
        database.Prepare("UPDATE allocation_devices SET to_us = ? WHERE allocation_id = ?");
    devices.BindTime(allocation.released_at);
    devices.BindId(allocation.id);
    RETURN_IF_ERROR(devices.Run());
  }
  return true;
}

absl::Status Save(Database& database, const Allocation& allocation, AllocationId last) {
  if (allocation.id <= last) {
    ASSIGN_OR_RETURN(const bool found, Update(database, allocation));
    if (found) {
      return absl::OkStatus();
    }
  }
  return Insert(database, allocation);
}

Allocation ReadAllocation(Statement& row) {
  Allocation allocation;
  allocation.id = row.ReadId<AllocationId>();
  allocation.job = row.ReadId<JobId>();
  allocation.attempt = row.ReadInt32();
  allocation.rank = row.ReadInt32();
  allocation.node = row.ReadId<NodeId>();
  allocation.tenant = row.ReadId<TenantId>();
  allocation.project = row.ReadId<ProjectId>();
  allocation.device_class = row.ReadId<ClassId>();
  allocation.host.cpu_milli = row.ReadInt();
  allocation.host.memory_mib = row.ReadInt();
  allocation.reserved_at = row.ReadTime();
  allocation.state = row.ReadWord(FindAllocationState);
  allocation.assign_seq = row.ReadInt();
  allocation.released_at = row.ReadTime();
  allocation.evidence = row.ReadWord(FindReleaseEvidence);
  return allocation;
}

absl::Status LoadDevices(Database& database, Allocation& allocation) {
  Statement rows = database.Prepare(
      "SELECT device_index, milli, uuid FROM allocation_devices WHERE allocation_id = ? "
      "ORDER BY device_index");
  rows.BindId(allocation.id);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return absl::OkStatus();
    }
    DeviceShare share;
    share.index = rows.ReadInt32();
    share.milli = rows.ReadInt32();
    share.uuid = rows.ReadText();
    allocation.devices.push_back(std::move(share));
  }
}

absl::StatusOr<std::vector<Allocation>> ReadAllocations(Database& database, Statement& rows) {
  std::vector<Allocation> allocations;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return allocations;
    }
    allocations.push_back(ReadAllocation(rows));
    RETURN_IF_ERROR(LoadDevices(database, allocations.back()));
  }
}

// Attempts by their newest allocation, newest first; ranks ascending inside.
void SortByAttempt(std::vector<AllocationRecord>& records) {
  std::map<std::pair<JobId, int>, AllocationId> newest;
  for (const AllocationRecord& record : records) {
    AllocationId& id = newest[{record.allocation.job, record.allocation.attempt}];
    id = std::max(id, record.allocation.id);
  }
  const auto newest_of = [&newest](const Allocation& allocation) {
    return newest.at({allocation.job, allocation.attempt});
  };
  std::sort(records.begin(), records.end(),
            [&newest_of](const AllocationRecord& a, const AllocationRecord& b) {
              const AllocationId newest_a = newest_of(a.allocation);
              const AllocationId newest_b = newest_of(b.allocation);
              return newest_a != newest_b ? newest_a > newest_b
                                          : a.allocation.rank < b.allocation.rank;
            });
}

}  // namespace

absl::Status SaveAllocations(Database& database, const std::vector<Allocation>& allocations,
                             AllocationId last) {
  for (const bool released : {true, false}) {
    for (const Allocation& allocation : allocations) {
      if (IsReleased(allocation) == released) {
        RETURN_IF_ERROR(Save(database, allocation, last));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Allocation>> LoadAllocations(Database& database) {
  Statement rows = database.Prepare(absl::StrCat(
      "SELECT ", kColumns, " FROM allocations a WHERE released_us IS NULL UNION ALL SELECT ",
      kColumns,
      " FROM jobs j JOIN allocations a ON a.job_id = j.id AND a.attempt = j.attempt "
      "WHERE j.state NOT IN ('held', 'queued') AND a.released_us IS NOT NULL ORDER BY 1"));
  return ReadAllocations(database, rows);
}

absl::StatusOr<std::vector<AllocationRecord>> ListAllocationRows(Database& database,
                                                                 const AllocationQuery& query) {
  // The label is the attempt's, and so is where it stands. The plus sign keeps SQLite from walking
  // all of a tenant's rows in search of one job's.
  std::string sql = absl::StrCat(
      "SELECT ", kColumns,
      ", coalesce(p.funding, j.funding, h.funding, 'none') FROM allocations a "
      "LEFT JOIN attempts p ON p.job_id = a.job_id AND p.attempt = a.attempt "
      "LEFT JOIN jobs j ON j.id = a.job_id AND j.attempt = a.attempt "
      "LEFT JOIN job_history h ON h.id = a.job_id AND h.attempt = a.attempt WHERE 1",
      !query.tenant.has_value() ? ""
      : query.job.has_value()   ? " AND +a.tenant_id = ?"
                                : " AND a.tenant_id = ?",
      query.job.has_value() ? " AND a.job_id = ?" : "",
      query.attempt.has_value() ? " AND a.attempt = ?" : "", " ORDER BY a.id DESC LIMIT ?");
  Statement rows = database.Prepare(sql);
  if (query.tenant.has_value()) {
    rows.BindId(*query.tenant);
  }
  if (query.job.has_value()) {
    rows.BindId(*query.job);
  }
  if (query.attempt.has_value()) {
    rows.BindInt(*query.attempt);
  }
  rows.BindInt(query.limit);
  std::vector<AllocationRecord> records;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      SortByAttempt(records);
      return records;
    }
    AllocationRecord& record = records.emplace_back();
    record.allocation = ReadAllocation(rows);
    record.funding = rows.ReadWord(FindFunding);
    RETURN_IF_ERROR(LoadDevices(database, record.allocation));
  }
}

}  // namespace berth
