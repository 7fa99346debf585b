#include "scheduler/store/node_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/store/column_codec.h"

namespace berth {
namespace {

// Different facts give different texts: every part is followed by its end and its length.
std::string FactsText(const NodeFacts& facts) {
  std::string text;
  const auto add = [&text](const auto& part) {
    const size_t before = text.size();
    absl::StrAppend(&text, part);
    absl::StrAppend(&text, "/", text.size() - before, ";");
  };
  add(facts.hostname);
  add(facts.address);
  add(facts.capacity.cpu_milli);
  add(facts.capacity.memory_mib);
  add(facts.topology.pod);
  add(facts.topology.block);
  add(facts.topology.rack);
  add(EncodePairs(facts.labels));
  add(facts.agent_version);
  add(facts.kernel);
  add(EncodeLines(facts.facilities));
  for (const Device& device : facts.devices) {
    add(device.index);
    add(device.device_class.value());
    add(device.uuid);
    add(Name(device.kind));
    add(device.memory_mib);
    add(device.ring);
    add(Name(device.health));
    add(device.health_detail);
    add(device.minor_number);
  }
  return text;
}

Node ReadNode(Statement& row) {
  Node node;
  node.id = row.ReadId<NodeId>();
  node.name = row.ReadText();
  node.state = row.ReadWord(FindNodeState);
  node.state_detail = row.ReadText();
  node.drain_requested = row.ReadBool();
  node.boot_id = row.ReadText();
  node.incarnation = static_cast<uint64_t>(row.ReadInt());
  node.assign_seq = row.ReadInt();
  node.report_seq = row.ReadInt();
  node.last_seen_at = row.ReadTime();
  NodeFacts& facts = node.facts;
  facts.hostname = row.ReadText();
  facts.address = row.ReadText();
  facts.capacity.cpu_milli = row.ReadInt();
  facts.capacity.memory_mib = row.ReadInt();
  facts.topology.pod = row.ReadText();
  facts.topology.block = row.ReadText();
  facts.topology.rack = row.ReadText();
  facts.labels = DecodePairs(row.ReadText());
  facts.agent_version = row.ReadText();
  facts.kernel = row.ReadText();
  facts.facilities = DecodeLines(row.ReadText());
  return node;
}

Device ReadDevice(Statement& row) {
  Device device;
  device.index = row.ReadInt32();
  device.device_class = row.ReadId<ClassId>();
  device.uuid = row.ReadText();
  device.kind = row.ReadWord(FindDeviceKind);
  device.memory_mib = row.ReadInt();
  device.ring = row.ReadText();
  device.health = row.ReadWord(FindDeviceHealth);
  device.health_detail = row.ReadText();
  device.minor_number = row.ReadInt32();
  return device;
}

}  // namespace

absl::Status NodeRows::Save(const Node& node) {
  {
    Statement row = database_.Prepare(
        "INSERT INTO nodes (id, name, state, state_detail, drain_requested, boot_id, incarnation, "
        "assign_seq, report_seq, last_seen_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET state = excluded.state, "
        "state_detail = excluded.state_detail, drain_requested = excluded.drain_requested, "
        "boot_id = excluded.boot_id, incarnation = excluded.incarnation, "
        "assign_seq = excluded.assign_seq, report_seq = excluded.report_seq, "
        "last_seen_us = excluded.last_seen_us");
    row.BindId(node.id);
    row.BindText(node.name);
    row.BindWord(node.state);
    row.BindText(node.state_detail);
    row.BindInt(node.drain_requested ? 1 : 0);
    row.BindText(node.boot_id);
    row.BindInt(static_cast<int64_t>(node.incarnation));
    row.BindInt(node.assign_seq);
    row.BindInt(node.report_seq);
    row.BindTime(node.last_seen_at);
    RETURN_IF_ERROR(row.Run());
  }
  std::string text = FactsText(node.facts);
  std::string& written = written_facts_[node.id];
  if (written == text) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(SaveFacts(node.id, node.facts));
  written = std::move(text);
  return absl::OkStatus();
}

absl::Status NodeRows::SaveFacts(NodeId id, const NodeFacts& facts) {
  {
    Statement row = database_.Prepare(
        "UPDATE nodes SET hostname = ?, address = ?, cpu_milli = ?, memory_mib = ?, pod = ?, "
        "block = ?, rack = ?, labels = ?, agent_version = ?, kernel = ?, facilities = ? "
        "WHERE id = ?");
    row.BindText(facts.hostname);
    row.BindText(facts.address);
    row.BindInt(facts.capacity.cpu_milli);
    row.BindInt(facts.capacity.memory_mib);
    row.BindText(facts.topology.pod);
    row.BindText(facts.topology.block);
    row.BindText(facts.topology.rack);
    row.BindText(EncodePairs(facts.labels));
    row.BindText(facts.agent_version);
    row.BindText(facts.kernel);
    row.BindText(EncodeLines(facts.facilities));
    row.BindId(id);
    RETURN_IF_ERROR(row.Run());
  }
  {
    Statement old_devices = database_.Prepare("DELETE FROM node_devices WHERE node_id = ?");
    old_devices.BindId(id);
    RETURN_IF_ERROR(old_devices.Run());
  }
  for (const Device& device : facts.devices) {
    RETURN_IF_ERROR(SaveDevice(id, device));
  }
  return absl::OkStatus();
}

absl::Status NodeRows::SaveDevice(NodeId id, const Device& device) {
  Statement row = database_.Prepare(
      "INSERT INTO node_devices (node_id, device_index, class_id, uuid, kind, memory_mib, ring, "
      "health, health_detail, minor_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.BindId(id);
  row.BindInt(device.index);
  row.BindId(device.device_class);
  row.BindText(device.uuid);
  row.BindWord(device.kind);
  row.BindInt(device.memory_mib);
  row.BindText(device.ring);
  row.BindWord(device.health);
  row.BindText(device.health_detail);
  row.BindInt(device.minor_number);
  return row.Run();
}

absl::StatusOr<std::vector<Node>> NodeRows::Load() {
  std::vector<Node> nodes;
  Statement rows = database_.Prepare(
      "SELECT id, name, state, state_detail, drain_requested, boot_id, incarnation, assign_seq, "
      "report_seq, last_seen_us, hostname, address, cpu_milli, memory_mib, pod, block, rack, "
      "labels, agent_version, kernel, facilities FROM nodes ORDER BY id");
  Statement devices = database_.Prepare(
      "SELECT node_id, device_index, class_id, uuid, kind, memory_mib, ring, health, "
      "health_detail, minor_number FROM node_devices ORDER BY node_id, device_index");
  absl::flat_hash_map<NodeId, size_t> places;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      break;
    }
    nodes.push_back(ReadNode(rows));
    places[nodes.back().id] = nodes.size() - 1;
  }
  while (true) {
    ASSIGN_OR_RETURN(const bool more, devices.Step());
    if (!more) {
      return nodes;
    }
    const auto node = devices.ReadId<NodeId>();
    nodes[places.at(node)].facts.devices.push_back(ReadDevice(devices));
  }
}

}  // namespace berth
