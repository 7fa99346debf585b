#include "scheduler/store/schema_v1.h"

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace berth {
namespace {

// Comparisons rather than IN: SQLite builds a table for every evaluation of IN in a CHECK.
std::string OneOf(const std::string& column, std::initializer_list<const char*> words) {
  std::vector<std::string> parts;
  for (const char* word : words) {
    parts.push_back(absl::StrCat(column, " = '", word, "'"));
  }
  return absl::StrCat("TEXT NOT NULL CHECK (", absl::StrJoin(parts, " OR "), ")");
}

constexpr char kPlaces[] = R"sql(
-- last_job, last_allocation and the head of the audit chain are as of the last checkpoint: what
-- was written since is in the tables themselves.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  cluster_id TEXT NOT NULL CHECK (cluster_id <> ''),
  sched_epoch INTEGER NOT NULL CHECK (sched_epoch >= 0),
  last_job INTEGER NOT NULL,
  last_allocation INTEGER NOT NULL,
  audit_seq INTEGER NOT NULL,
  audit_hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER meta_grows BEFORE UPDATE ON meta
WHEN NEW.cluster_id <> OLD.cluster_id OR NEW.sched_epoch < OLD.sched_epoch
  OR NEW.last_job < OLD.last_job OR NEW.last_allocation < OLD.last_allocation
  OR NEW.audit_seq < OLD.audit_seq
BEGIN SELECT RAISE(ABORT, 'identifiers and epochs only grow'); END;
CREATE TRIGGER meta_stays BEFORE DELETE ON meta
BEGIN SELECT RAISE(ABORT, 'the record of the cluster stays'); END;

CREATE TABLE device_classes (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tenants (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  suspended INTEGER NOT NULL CHECK (suspended BETWEEN 0 AND 1),
  created_us INTEGER,
  default_time_limit_us INTEGER NOT NULL,
  queue_max INTEGER NOT NULL CHECK (queue_max >= 0)
) STRICT;

CREATE TABLE projects (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  created_us INTEGER,
  UNIQUE (tenant_id, name)
) STRICT;

-- project_id 0: the whole tenant's quota.
CREATE TABLE quotas (
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  project_id INTEGER NOT NULL CHECK (project_id >= 0),
  class_id INTEGER NOT NULL REFERENCES device_classes (id),
  entitlement INTEGER NOT NULL CHECK (entitlement >= 0),
  device_limit INTEGER CHECK (device_limit >= 0),
  non_lendable INTEGER NOT NULL CHECK (non_lendable >= 0),
  weight INTEGER CHECK (weight >= 0),
  PRIMARY KEY (tenant_id, project_id, class_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  name TEXT NOT NULL,
  tenant_id INTEGER REFERENCES tenants (id),
  role $role,
  created_us INTEGER
) STRICT;
CREATE UNIQUE INDEX users_name ON users (ifnull(tenant_id, 0), name);

CREATE TABLE nodes (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  name TEXT NOT NULL UNIQUE,
  state $node_state,
  state_detail TEXT NOT NULL,
  drain_requested INTEGER NOT NULL CHECK (drain_requested BETWEEN 0 AND 1),
  boot_id TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  assign_seq INTEGER NOT NULL CHECK (assign_seq >= 0),
  report_seq INTEGER NOT NULL CHECK (report_seq >= 0),
  last_seen_us INTEGER,
  hostname TEXT NOT NULL DEFAULT '',
  address TEXT NOT NULL DEFAULT '',
  cpu_milli INTEGER NOT NULL DEFAULT 0 CHECK (cpu_milli >= 0),
  memory_mib INTEGER NOT NULL DEFAULT 0 CHECK (memory_mib >= 0),
  pod TEXT NOT NULL DEFAULT '',
  block TEXT NOT NULL DEFAULT '',
  rack TEXT NOT NULL DEFAULT '',
  labels TEXT NOT NULL DEFAULT '',
  agent_version TEXT NOT NULL DEFAULT '',
  kernel TEXT NOT NULL DEFAULT '',
  facilities TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE node_devices (
  node_id INTEGER NOT NULL REFERENCES nodes (id),
  device_index INTEGER NOT NULL CHECK (device_index >= 0),
  class_id INTEGER REFERENCES device_classes (id),
  uuid TEXT NOT NULL,
  kind $device_kind,
  memory_mib INTEGER NOT NULL CHECK (memory_mib >= 0),
  ring TEXT NOT NULL,
  health $device_health,
  health_detail TEXT NOT NULL,
  minor_number INTEGER NOT NULL,
  PRIMARY KEY (node_id, device_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY CHECK (id <> ''),
  secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
  user_id INTEGER REFERENCES users (id),
  node_id INTEGER REFERENCES nodes (id),
  tenant_id INTEGER REFERENCES tenants (id),
  role $role,
  created_by INTEGER REFERENCES users (id),
  created_us INTEGER,
  expires_us INTEGER,
  revoked INTEGER NOT NULL CHECK (revoked BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tokens_stay_revoked BEFORE UPDATE ON tokens
WHEN OLD.revoked = 1 AND NEW.revoked = 0
BEGIN SELECT RAISE(ABORT, 'a revoked token stays revoked'); END;
)sql";

constexpr char kAttemptColumns[] = R"sql(
  attempt INTEGER NOT NULL CHECK (attempt >= 0),
  attempt_state $attempt_state,
  funding $funding,
  class_id INTEGER REFERENCES device_classes (id),
  attempt_created_us INTEGER,
  started_us INTEGER,
  attempt_ended_us INTEGER,
  end_reason $end_reason,
  exit_code INTEGER NOT NULL,
  signal INTEGER NOT NULL,
  failed_rank INTEGER NOT NULL,
  end_message TEXT NOT NULL,
  rendezvous_address TEXT NOT NULL,
  rendezvous_port INTEGER NOT NULL CHECK (rendezvous_port BETWEEN 0 AND 65535))sql";

constexpr char kJobColumns[] = R"sql(
  id INTEGER PRIMARY KEY CHECK (id > 0),
  name TEXT NOT NULL,
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  project_id INTEGER REFERENCES projects (id),
  user_id INTEGER REFERENCES users (id),
  nodes INTEGER NOT NULL CHECK (nodes > 0),
  devices_per_node INTEGER NOT NULL CHECK (devices_per_node >= 0),
  cpu_milli INTEGER NOT NULL CHECK (cpu_milli >= 0),
  memory_mib INTEGER NOT NULL CHECK (memory_mib >= 0),
  classes TEXT NOT NULL,
  node_labels TEXT NOT NULL,
  excluded_nodes TEXT NOT NULL,
  time_limit_us INTEGER NOT NULL CHECK (time_limit_us >= 0),
  grace_us INTEGER NOT NULL CHECK (grace_us >= 0),
  priority INTEGER NOT NULL,
  preemptible INTEGER NOT NULL CHECK (preemptible BETWEEN 0 AND 1),
  may_borrow INTEGER NOT NULL CHECK (may_borrow BETWEEN 0 AND 1),
  hold INTEGER NOT NULL CHECK (hold BETWEEN 0 AND 1),
  launch_per_device INTEGER NOT NULL CHECK (launch_per_device BETWEEN 0 AND 1),
  on_node_loss $node_loss,
  lease_us INTEGER NOT NULL CHECK (lease_us >= 0),
  requeue_on_node_fault INTEGER NOT NULL CHECK (requeue_on_node_fault BETWEEN 0 AND 1),
  requeue_on_preempt INTEGER NOT NULL CHECK (requeue_on_preempt BETWEEN 0 AND 1),
  requeue_on_error INTEGER NOT NULL CHECK (requeue_on_error BETWEEN 0 AND 1),
  max_requeues INTEGER NOT NULL,
  requeue_exit_codes TEXT NOT NULL,
  submitted_us INTEGER,
  ended_us INTEGER,
  not_before_us INTEGER,
  requeues INTEGER NOT NULL CHECK (requeues >= 0),
  cancel_requested INTEGER NOT NULL CHECK (cancel_requested BETWEEN 0 AND 1),
  version INTEGER NOT NULL,)sql";

constexpr char kJobs[] = R"sql(
CREATE TABLE jobs (
  state $live_state,$job_columns$attempt_columns
) STRICT;
CREATE TABLE job_history (
  state $ended_state,$job_columns$attempt_columns
) STRICT;
CREATE INDEX job_history_tenant ON job_history (tenant_id);
CREATE INDEX job_history_user ON job_history (user_id);
CREATE TRIGGER jobs_never_return BEFORE INSERT ON jobs
WHEN EXISTS (SELECT 1 FROM job_history WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an ended job never changes'); END;
CREATE TRIGGER jobs_keep_their_cancel BEFORE UPDATE ON jobs
WHEN OLD.cancel_requested = 1 AND NEW.cancel_requested = 0
BEGIN SELECT RAISE(ABORT, 'an acknowledged cancel is never lost'); END;
CREATE TRIGGER jobs_leave_for_history BEFORE DELETE ON jobs
WHEN NOT EXISTS (SELECT 1 FROM job_history WHERE id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'a live job is never deleted'); END;
CREATE TRIGGER job_history_stays BEFORE UPDATE ON job_history
BEGIN SELECT RAISE(ABORT, 'an ended job never changes'); END;
CREATE TRIGGER job_history_remains BEFORE DELETE ON job_history
BEGIN SELECT RAISE(ABORT, 'an ended job is never deleted'); END;

-- Attempts that are over although their job went on; the last one is in the job's own row.
CREATE TABLE attempts (
  job_id INTEGER NOT NULL CHECK (job_id > 0),$attempt_columns,
  PRIMARY KEY (job_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts
BEGIN SELECT RAISE(ABORT, 'an ended attempt never changes'); END;
CREATE TRIGGER attempts_remain BEFORE DELETE ON attempts
BEGIN SELECT RAISE(ABORT, 'an ended attempt is never deleted'); END;

CREATE TABLE submissions (
  job_id INTEGER PRIMARY KEY CHECK (job_id > 0),
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  idempotency_key TEXT NOT NULL,
  payload_hash BLOB NOT NULL,
  payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX submissions_key ON submissions (tenant_id, idempotency_key)
  WHERE idempotency_key <> '';
)sql";

constexpr char kAllocations[] = R"sql(
CREATE TABLE allocations (
  id INTEGER PRIMARY KEY CHECK (id > 0),
  job_id INTEGER NOT NULL CHECK (job_id > 0),
  attempt INTEGER NOT NULL CHECK (attempt >= 0),
  rank INTEGER NOT NULL CHECK (rank >= 0),
  node_id INTEGER NOT NULL REFERENCES nodes (id),
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  project_id INTEGER REFERENCES projects (id),
  class_id INTEGER REFERENCES device_classes (id),
  cpu_milli INTEGER NOT NULL CHECK (cpu_milli >= 0),
  memory_mib INTEGER NOT NULL CHECK (memory_mib >= 0),
  reserved_us INTEGER,
  state $allocation_state,
  assign_seq INTEGER NOT NULL CHECK (assign_seq >= 0),
  released_us INTEGER,
  evidence $evidence,
  UNIQUE (job_id, attempt, rank),
  CHECK ((state = 'released') = (released_us IS NOT NULL)),
  CHECK ((state = 'released') = (evidence <> 'none'))
) STRICT;
CREATE INDEX allocations_held ON allocations (node_id) WHERE released_us IS NULL;
CREATE INDEX allocations_tenant ON allocations (tenant_id);
CREATE TRIGGER allocations_stay BEFORE UPDATE ON allocations
WHEN OLD.released_us IS NOT NULL OR NEW.id <> OLD.id OR NEW.job_id <> OLD.job_id
  OR NEW.attempt <> OLD.attempt OR NEW.rank <> OLD.rank OR NEW.node_id <> OLD.node_id
  OR NEW.tenant_id <> OLD.tenant_id OR NEW.project_id IS NOT OLD.project_id
  OR NEW.class_id IS NOT OLD.class_id OR NEW.reserved_us IS NOT OLD.reserved_us
BEGIN SELECT RAISE(ABORT, 'a released allocation never changes'); END;
CREATE TRIGGER allocations_remain BEFORE DELETE ON allocations
BEGIN SELECT RAISE(ABORT, 'an allocation is never deleted'); END;

-- One interval of device time: milli of one device, from from_us until to_us (NULL: still held).
CREATE TABLE allocation_devices (
  allocation_id INTEGER NOT NULL REFERENCES allocations (id),
  device_index INTEGER NOT NULL CHECK (device_index >= 0),
  node_id INTEGER NOT NULL REFERENCES nodes (id),
  uuid TEXT NOT NULL,
  class_id INTEGER REFERENCES device_classes (id),
  milli INTEGER NOT NULL CHECK (milli BETWEEN 1 AND 1000),
  tenant_id INTEGER NOT NULL REFERENCES tenants (id),
  from_us INTEGER,
  to_us INTEGER,
  PRIMARY KEY (allocation_id, device_index)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX allocation_devices_whole ON allocation_devices (node_id, device_index)
  WHERE to_us IS NULL AND milli = 1000;
CREATE INDEX allocation_devices_held ON allocation_devices (node_id, device_index, milli)
  WHERE to_us IS NULL;
CREATE TRIGGER allocation_devices_fit BEFORE INSERT ON allocation_devices
WHEN NEW.to_us IS NULL AND NEW.milli > 1000 - (
  SELECT ifnull(sum(milli), 0) FROM allocation_devices
  WHERE node_id = NEW.node_id AND device_index = NEW.device_index AND to_us IS NULL)
BEGIN SELECT RAISE(ABORT, 'a device is not given out twice'); END;
CREATE TRIGGER allocation_devices_stay BEFORE UPDATE ON allocation_devices
WHEN OLD.to_us IS NOT NULL OR NEW.allocation_id <> OLD.allocation_id
  OR NEW.device_index <> OLD.device_index OR NEW.node_id <> OLD.node_id OR NEW.uuid <> OLD.uuid
  OR NEW.class_id IS NOT OLD.class_id OR NEW.milli <> OLD.milli OR NEW.tenant_id <> OLD.tenant_id
  OR NEW.from_us IS NOT OLD.from_us
BEGIN SELECT RAISE(ABORT, 'recorded device time never changes'); END;
CREATE TRIGGER allocation_devices_remain BEFORE DELETE ON allocation_devices
BEGIN SELECT RAISE(ABORT, 'recorded device time is never deleted'); END;
)sql";

constexpr char kAudit[] = R"sql(
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  at_us INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  token_id TEXT NOT NULL,
  peer TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  tenant_id INTEGER NOT NULL,
  decision TEXT NOT NULL,
  digest TEXT NOT NULL,
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record never changes'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record is never deleted'); END;
)sql";

// Answers for a person with sqlite3: who had which devices from when to when, and for what.
constexpr char kViews[] = R"sql(
CREATE VIEW allocation_report AS
SELECT t.name AS tenant, p.name AS project, a.job_id AS job, a.attempt, a.rank, n.name AS node,
  c.name AS device_class, d.device_index, d.uuid, d.milli,
  strftime('%Y-%m-%dT%H:%M:%fZ', a.reserved_us / 1e6, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%fZ', a.released_us / 1e6, 'unixepoch') AS ended, a.evidence
FROM allocations a
JOIN tenants t ON t.id = a.tenant_id
JOIN nodes n ON n.id = a.node_id
LEFT JOIN projects p ON p.id = a.project_id
LEFT JOIN allocation_devices d ON d.allocation_id = a.id
LEFT JOIN device_classes c ON c.id = ifnull(d.class_id, a.class_id)
ORDER BY a.id, d.device_index;

CREATE VIEW job_report AS
SELECT j.id AS job, j.name, t.name AS tenant, p.name AS project, u.name AS user, j.state,
  j.attempt, j.nodes, j.devices_per_node, c.name AS device_class, j.funding,
  strftime('%Y-%m-%dT%H:%M:%fZ', j.submitted_us / 1e6, 'unixepoch') AS submitted,
  strftime('%Y-%m-%dT%H:%M:%fZ', j.started_us / 1e6, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%fZ', j.ended_us / 1e6, 'unixepoch') AS ended,
  j.end_reason, j.exit_code, j.signal, j.end_message
FROM (SELECT * FROM jobs UNION ALL SELECT * FROM job_history) j
JOIN tenants t ON t.id = j.tenant_id
LEFT JOIN projects p ON p.id = j.project_id
LEFT JOIN users u ON u.id = j.user_id
LEFT JOIN device_classes c ON c.id = j.class_id
ORDER BY j.id;
)sql";

}  // namespace

absl::Status MigrateToV1(Database& database) {
  const std::string tables = absl::StrReplaceAll(
      absl::StrCat(kPlaces, kJobs, kAllocations, kAudit, kViews),
      {
          {"$job_columns",     kJobColumns    },
          {"$attempt_columns", kAttemptColumns}
  });
  return database.Execute(absl::StrReplaceAll(
      tables,
      {
          {"$role",             OneOf("role",          {"member", "tenant-admin", "auditor", "operator", "node"})                                      },
          {"$node_state",
           OneOf("state",                              {"pending", "joined", "reconciling", "ready", "suspect", "lost",
                           "draining", "drained", "quarantined", "removed"})                                                  },
          {"$device_kind",      OneOf("kind",          {"nvidia", "ascend", "simulated"})                                                              },
          {"$device_health",    OneOf("health",        {"ok", "suspect", "quarantined"})                                                               },
          {"$live_state",       OneOf("state",         {"held", "queued", "dispatching", "starting", "running",
                                          "stopping", "wait-node"})                                      },
          {"$ended_state",
           OneOf("state",                              {"succeeded", "failed", "cancelled", "timed-out", "dependency-failed"})                         },
          {"$attempt_state",    OneOf("attempt_state", {"none", "created", "preparing", "prepared",
                                                     "starting", "running", "stopping", "ended"})},
          {"$funding",          OneOf("funding",       {"none", "owned", "borrowed"})                                                                  },
          {"$node_loss",        OneOf("on_node_loss",  {"requeue", "hold", "fail"})                                                                    },
          {"$end_reason",
           OneOf("end_reason",                         {"none", "exit", "signal", "oom", "node-fault", "preempted",
                                "time-limit", "budget", "image-error", "prepare-timeout", "admin",
                                "cancelled", "dependency-failed", "launch-error"})                                       },
          {"$allocation_state",
           OneOf("state",                              {"reserved", "sent", "prepared", "running", "releasing", "released"})                           },
          {"$evidence",         OneOf("evidence",      {"none", "reported", "rebooted", "node-lost", "fenced",
                                           "confirmed-dead"})                                         }
  }));
}

}  // namespace berth
