#include "scheduler/store/schema_v2.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace berth {
namespace {

// recovery: 1 from a restore until the operator resumes. restored_allocation: the highest that the
// last restored backup knew; 0: none was ever restored. last_backup_us: NULL: never.
constexpr char kRecovery[] = R"sql(
ALTER TABLE meta ADD COLUMN recovery INTEGER NOT NULL DEFAULT 0 CHECK (recovery BETWEEN 0 AND 1);
ALTER TABLE meta ADD COLUMN restored_allocation INTEGER NOT NULL DEFAULT 0
  CHECK (restored_allocation >= 0);
ALTER TABLE meta ADD COLUMN last_backup_us INTEGER;
)sql";

// Of live and of ended jobs alike. array_id: NULL: no task of an array. dependencies: those not
// decided yet, "ok:4811,any:4812". begin_us: NULL: at once.
constexpr char kJobColumnsV2[] = R"sql(
ALTER TABLE $table ADD COLUMN min_nodes INTEGER NOT NULL DEFAULT 0 CHECK (min_nodes >= 0);
ALTER TABLE $table ADD COLUMN device_share_milli INTEGER NOT NULL DEFAULT 0
  CHECK (device_share_milli BETWEEN 0 AND 999);
ALTER TABLE $table ADD COLUMN topology TEXT NOT NULL DEFAULT 'none' CHECK (topology = 'none'
  OR topology = 'ring' OR topology = 'rack' OR topology = 'block' OR topology = 'pod');
ALTER TABLE $table ADD COLUMN topology_required INTEGER NOT NULL DEFAULT 0
  CHECK (topology_required BETWEEN 0 AND 1);
ALTER TABLE $table ADD COLUMN begin_us INTEGER;
ALTER TABLE $table ADD COLUMN array_first INTEGER NOT NULL DEFAULT 0;
ALTER TABLE $table ADD COLUMN array_count INTEGER NOT NULL DEFAULT 0 CHECK (array_count >= 0);
ALTER TABLE $table ADD COLUMN array_step INTEGER NOT NULL DEFAULT 1 CHECK (array_step > 0);
ALTER TABLE $table ADD COLUMN array_concurrent_max INTEGER NOT NULL DEFAULT 0
  CHECK (array_concurrent_max >= 0);
ALTER TABLE $table ADD COLUMN array_id INTEGER;
ALTER TABLE $table ADD COLUMN array_index INTEGER NOT NULL DEFAULT -1;
ALTER TABLE $table ADD COLUMN dependencies TEXT NOT NULL DEFAULT '';
ALTER TABLE $table ADD COLUMN tasks_next INTEGER NOT NULL DEFAULT 0 CHECK (tasks_next >= 0);
ALTER TABLE $table ADD COLUMN tasks_succeeded INTEGER NOT NULL DEFAULT 0
  CHECK (tasks_succeeded >= 0);
ALTER TABLE $table ADD COLUMN tasks_failed INTEGER NOT NULL DEFAULT 0 CHECK (tasks_failed >= 0);
ALTER TABLE $table ADD COLUMN tasks_cancelled INTEGER NOT NULL DEFAULT 0
  CHECK (tasks_cancelled >= 0);
ALTER TABLE $table ADD COLUMN suspect_nodes TEXT NOT NULL DEFAULT '';
ALTER TABLE $table ADD COLUMN checkpoint_us INTEGER;
CREATE UNIQUE INDEX $table_array ON $table (array_id, array_index) WHERE array_id IS NOT NULL;
)sql";

constexpr char kAttempts[] = "ALTER TABLE attempts ADD COLUMN checkpoint_us INTEGER;";

// block_level 'none': a block is a whole node.
constexpr char kQuotas[] = R"sql(
ALTER TABLE tenants ADD COLUMN queue_preset TEXT NOT NULL DEFAULT 'easy'
  CHECK (queue_preset = 'easy' OR queue_preset = 'fifo' OR queue_preset = 'traverse'
  OR queue_preset = 'stepped');
ALTER TABLE tenants ADD COLUMN stepped_timeout_us INTEGER NOT NULL DEFAULT 3600000000
  CHECK (stepped_timeout_us >= 0);
ALTER TABLE quotas ADD COLUMN block_level TEXT NOT NULL DEFAULT 'none'
  CHECK (block_level = 'none' OR block_level = 'ring' OR block_level = 'rack'
  OR block_level = 'block' OR block_level = 'pod');
ALTER TABLE quotas ADD COLUMN block_count INTEGER NOT NULL DEFAULT 0 CHECK (block_count >= 0);

-- What is still to take effect; project_id as in quotas.
CREATE TABLE quota_edits (
  position INTEGER PRIMARY KEY CHECK (position >= 0),
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  project_id INTEGER NOT NULL CHECK (project_id >= 0),
  class_id INTEGER NOT NULL REFERENCES device_classes (id),
  entitlement INTEGER NOT NULL CHECK (entitlement >= 0),
  device_limit INTEGER CHECK (device_limit >= 0),
  non_lendable INTEGER NOT NULL CHECK (non_lendable >= 0),
  weight INTEGER CHECK (weight >= 0),
  block_level TEXT NOT NULL,
  block_count INTEGER NOT NULL CHECK (block_count >= 0),
  effective_us INTEGER,
  user_id INTEGER REFERENCES users (id),
  allow_oversell INTEGER NOT NULL CHECK (allow_oversell IN (0, 1))
) STRICT;
)sql";

// nodes: ids, "1,2,3".
constexpr char kBookings[] = R"sql(
CREATE TABLE bookings (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  kind TEXT NOT NULL CHECK (kind = 'maintenance' OR kind = 'reservation'),
  tenant_id INTEGER REFERENCES tenants (id),
  nodes TEXT NOT NULL,
  from_us INTEGER,
  to_us INTEGER,
  reason TEXT NOT NULL,
  user_id INTEGER REFERENCES users (id),
  ended INTEGER NOT NULL CHECK (ended BETWEEN 0 AND 1)
) STRICT;
CREATE INDEX bookings_open ON bookings (id) WHERE ended = 0;
CREATE TRIGGER bookings_stay BEFORE UPDATE ON bookings
WHEN OLD.ended = 1
BEGIN SELECT RAISE(ABORT, 'an ended booking never changes'); END;
CREATE TRIGGER bookings_remain BEFORE DELETE ON bookings
BEGIN SELECT RAISE(ABORT, 'a booking is never deleted'); END;
)sql";

// The certificates. outcome: open while the claim waits for its devices.
constexpr char kReclaims[] = R"sql(
CREATE TABLE reclaims (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  at_us INTEGER,
  claim_id INTEGER NOT NULL CHECK (claim_id > 0),
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  class_id INTEGER REFERENCES device_classes (id),
  within_tenant INTEGER NOT NULL CHECK (within_tenant BETWEEN 0 AND 1),
  nodes INTEGER NOT NULL,
  devices_per_node INTEGER NOT NULL,
  entitlement INTEGER NOT NULL,
  used INTEGER NOT NULL,
  free_devices INTEGER NOT NULL,
  lost_device_seconds INTEGER NOT NULL,
  due_us INTEGER,
  outcome TEXT NOT NULL CHECK (outcome = 'open' OR outcome = 'settled' OR outcome = 'given-up'),
  settled_us INTEGER
) STRICT;
CREATE INDEX reclaims_open ON reclaims (id) WHERE outcome = 'open';
CREATE INDEX reclaims_claim ON reclaims (claim_id);
CREATE TRIGGER reclaims_stay BEFORE UPDATE ON reclaims
WHEN OLD.outcome <> 'open'
BEGIN SELECT RAISE(ABORT, 'a settled reclaim never changes'); END;
CREATE TRIGGER reclaims_remain BEFORE DELETE ON reclaims
BEGIN SELECT RAISE(ABORT, 'a reclaim is never deleted'); END;

-- position: in the order of asking.
CREATE TABLE reclaim_candidates (
  reclaim_id INTEGER NOT NULL REFERENCES reclaims (id),
  position INTEGER NOT NULL CHECK (position >= 0),
  job_id INTEGER NOT NULL CHECK (job_id > 0),
  attempt INTEGER NOT NULL,
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  devices INTEGER NOT NULL,
  members INTEGER NOT NULL,
  shrink INTEGER NOT NULL CHECK (shrink BETWEEN 0 AND 1),
  chosen INTEGER NOT NULL CHECK (chosen BETWEEN 0 AND 1),
  tenant_excess INTEGER NOT NULL,
  tenant_weight INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  lost_work_us INTEGER NOT NULL,
  started_us INTEGER,
  notice_us INTEGER NOT NULL,
  PRIMARY KEY (reclaim_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX reclaim_candidates_chosen ON reclaim_candidates (job_id) WHERE chosen = 1;
CREATE TRIGGER reclaim_candidates_stay BEFORE UPDATE ON reclaim_candidates
BEGIN SELECT RAISE(ABORT, 'a certificate never changes'); END;
CREATE TRIGGER reclaim_candidates_remain BEFORE DELETE ON reclaim_candidates
BEGIN SELECT RAISE(ABORT, 'a certificate is never deleted'); END;
)sql";

std::string JobColumns(absl::string_view table) {
  return absl::StrReplaceAll(kJobColumnsV2, {
                                                {"$table", table}
  });
}

}  // namespace

absl::Status MigrateToV2(Database& database) {
  return database.Execute(absl::StrCat(kRecovery, JobColumns("jobs"), JobColumns("job_history"),
                                       kAttempts, kQuotas, kBookings, kReclaims));
}

}  // namespace berth
