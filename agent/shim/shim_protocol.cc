#include "agent/shim/shim_protocol.h"

#include <array>
#include <cstdio>

namespace berth::shim {
namespace {

uint64_t Unsigned(int64_t value) {
  return static_cast<uint64_t>(value);
}

int ToInt(uint64_t value) {
  return static_cast<int>(static_cast<int64_t>(value));
}

template <typename Value>
std::optional<Value> IfOk(const WireReader& reader, Value value) {
  return reader.ok() ? std::optional<Value>(std::move(value)) : std::nullopt;
}

void WriteRecord(WireWriter& writer, const ExitRecord& record) {
  writer.Number(record.allocation_id);
  writer.Number(record.started ? 1 : 0);
  writer.Number(record.launch_failed ? 1 : 0);
  writer.Number(Unsigned(record.started_at_us));
  writer.Number(Unsigned(record.ended_at_us));
  writer.Number(Unsigned(record.exit_code));
  writer.Number(Unsigned(record.signal));
  writer.Number(Unsigned(record.stop_reason));
  writer.Number(record.exec_failed ? 1 : 0);
  writer.Number(record.out_of_memory ? 1 : 0);
  writer.Number(Unsigned(record.failed_rank));
  writer.Text(record.message);
}

ExitRecord ReadRecord(WireReader& reader) {
  ExitRecord record;
  record.allocation_id = reader.Number();
  record.started = reader.Number() != 0;
  record.launch_failed = reader.Number() != 0;
  record.started_at_us = static_cast<int64_t>(reader.Number());
  record.ended_at_us = static_cast<int64_t>(reader.Number());
  record.exit_code = ToInt(reader.Number());
  record.signal = ToInt(reader.Number());
  record.stop_reason = ToInt(reader.Number());
  record.exec_failed = reader.Number() != 0;
  record.out_of_memory = reader.Number() != 0;
  record.failed_rank = ToInt(reader.Number());
  record.message = reader.Text();
  return record;
}

}  // namespace

std::string Encode(const TaskPlan& plan) {
  WireWriter writer;
  writer.Number(plan.allocation_id);
  writer.Texts(plan.argv);
  writer.Text(plan.working_directory);
  writer.Number(Unsigned(plan.processes));
  writer.Number(Unsigned(plan.first_rank));
  writer.Number(Unsigned(plan.stop_signal));
  writer.Number(Unsigned(plan.time_limit_ms));
  writer.Number(Unsigned(plan.grace_ms));
  writer.Number(Unsigned(plan.lease_grace_ms));
  writer.Number(Unsigned(plan.lease_deadline_ns));
  writer.Number(plan.pid_namespace ? 1 : 0);
  writer.Number(plan.account.has_value() ? 1 : 0);
  if (plan.account.has_value()) {
    writer.Number(plan.account->uid);
    writer.Number(plan.account->gid);
    writer.Number(plan.account->groups.size());
    for (const uint32_t group : plan.account->groups) {
      writer.Number(group);
    }
  }
  return writer.Take();
}

std::optional<TaskPlan> DecodePlan(std::string_view bytes) {
  WireReader reader(bytes);
  TaskPlan plan;
  plan.allocation_id = reader.Number();
  plan.argv = reader.Texts();
  plan.working_directory = reader.Text();
  plan.processes = ToInt(reader.Number());
  plan.first_rank = ToInt(reader.Number());
  plan.stop_signal = ToInt(reader.Number());
  plan.time_limit_ms = static_cast<int64_t>(reader.Number());
  plan.grace_ms = static_cast<int64_t>(reader.Number());
  plan.lease_grace_ms = static_cast<int64_t>(reader.Number());
  plan.lease_deadline_ns = static_cast<int64_t>(reader.Number());
  plan.pid_namespace = reader.Number() != 0;
  if (reader.Number() != 0) {
    Account& account = plan.account.emplace();
    account.uid = static_cast<uint32_t>(reader.Number());
    account.gid = static_cast<uint32_t>(reader.Number());
    for (uint64_t left = reader.Number(); reader.ok() && left > 0; --left) {
      account.groups.push_back(static_cast<uint32_t>(reader.Number()));
    }
  }
  if (plan.argv.empty() || plan.processes < 1) {
    return std::nullopt;
  }
  return IfOk(reader, std::move(plan));
}

std::string Encode(const StartOrder& order) {
  WireWriter writer;
  writer.Texts(order.environment);
  writer.Number(order.rank_environment.size());
  for (const auto& environment : order.rank_environment) {
    writer.Texts(environment);
  }
  return writer.Take();
}

std::optional<StartOrder> DecodeStart(std::string_view bytes) {
  WireReader reader(bytes);
  StartOrder order;
  order.environment = reader.Texts();
  for (uint64_t left = reader.Number(); reader.ok() && left > 0; --left) {
    order.rank_environment.push_back(reader.Texts());
  }
  return IfOk(reader, std::move(order));
}

std::string Encode(const StopOrder& order) {
  WireWriter writer;
  writer.Number(Unsigned(order.reason));
  writer.Number(Unsigned(order.grace_ms));
  writer.Text(order.message);
  return writer.Take();
}

std::optional<StopOrder> DecodeStop(std::string_view bytes) {
  WireReader reader(bytes);
  StopOrder order;
  order.reason = ToInt(reader.Number());
  order.grace_ms = static_cast<int64_t>(reader.Number());
  order.message = reader.Text();
  return IfOk(reader, std::move(order));
}

std::string Encode(const ExitRecord& record) {
  WireWriter writer;
  WriteRecord(writer, record);
  return writer.Take();
}

std::optional<ExitRecord> DecodeExitRecord(std::string_view bytes) {
  WireReader reader(bytes);
  ExitRecord record = ReadRecord(reader);
  return IfOk(reader, std::move(record));
}

std::string Encode(const ShimStatus& status) {
  WireWriter writer;
  writer.Number(status.allocation_id);
  writer.Number(static_cast<uint64_t>(status.state));
  writer.Number(status.started ? 1 : 0);
  WriteRecord(writer, status.exit);
  return writer.Take();
}

std::optional<ShimStatus> DecodeStatus(std::string_view bytes) {
  WireReader reader(bytes);
  ShimStatus status;
  status.allocation_id = reader.Number();
  const uint64_t state = reader.Number();
  status.started = reader.Number() != 0;
  status.exit = ReadRecord(reader);
  if (state < static_cast<uint64_t>(ShimState::kHolding) ||
      state > static_cast<uint64_t>(ShimState::kEnded)) {
    return std::nullopt;
  }
  status.state = static_cast<ShimState>(state);
  return IfOk(reader, std::move(status));
}

std::string EncodeLease(int64_t deadline_ns) {
  WireWriter writer;
  writer.Number(Unsigned(deadline_ns));
  return writer.Take();
}

std::optional<int64_t> DecodeLease(std::string_view bytes) {
  WireReader reader(bytes);
  const auto deadline = static_cast<int64_t>(reader.Number());
  return IfOk(reader, deadline);
}

std::string LogFileName(int rank) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "rank-%05d.log", rank);
  return name.data();
}

}  // namespace berth::shim
