#include "agent/journal.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/shim/shim_protocol.h"
#include "common/descriptor.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kCompactAtBytes = 16 << 20;
constexpr size_t kHeaderBytes = 8;
constexpr char kJournalName[] = "journal";

// CRC-32 of IEEE 802.3, reflected, polynomial 0xEDB88320.
uint32_t Crc32(absl::string_view bytes) {
  static const std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value & 1) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
      }
      table[i] = value;
    }
    return table;
  }();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) {
    crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  }
  return crc ^ 0xFFFFFFFFU;
}

// Bodies: a kind letter, then the payload: a message, or numbers and words separated by blanks.
std::string BodyOf(const AssignmentAccepted& record) {
  return "A" + record.assignment.SerializeAsString();
}
std::string BodyOf(const RendezvousReserved& record) {
  return absl::StrCat("R", record.allocation_id, " ", record.port);
}
std::string BodyOf(const TombstoneSet& record) {
  return absl::StrCat("T", record.allocation_id);
}
std::string BodyOf(const TaskForgotten& record) {
  return absl::StrCat("F", record.allocation_id);
}
std::string BodyOf(const EpochSeen& record) {
  return absl::StrCat("E", record.sched_epoch);
}
std::string BodyOf(const AgentStarted& record) {
  return absl::StrCat("S", record.incarnation, " ", record.boot_id);
}
std::string BodyOf(const AssignSeqSeen& record) {
  return absl::StrCat("Q", record.assign_seq);
}
std::string BodyOf(const RecordsLost& record) {
  return absl::StrCat("L", record.incarnation);
}

template <typename Number>
bool Parse(absl::string_view text, Number& number) {
  return absl::SimpleAtoi(text, &number);
}

std::optional<JournalRecord> ParseBody(absl::string_view body) {
  const absl::string_view payload = body.substr(1);
  const std::vector<std::string> words = absl::StrSplit(std::string(payload), ' ');
  switch (body[0]) {
    case 'A': {
      AssignmentAccepted record;
      return record.assignment.ParseFromArray(payload.data(), static_cast<int>(payload.size()))
                 ? std::optional<JournalRecord>(std::move(record))
                 : std::nullopt;
    }
    case 'R': {
      RendezvousReserved record;
      const bool good = words.size() == 2 && Parse(words[0], record.allocation_id) &&
                        Parse(words[1], record.port);
      return good ? std::optional<JournalRecord>(record) : std::nullopt;
    }
    case 'T': {
      TombstoneSet record;
      return Parse(payload, record.allocation_id) ? std::optional<JournalRecord>(record)
                                                  : std::nullopt;
    }
    case 'F': {
      TaskForgotten record;
      return Parse(payload, record.allocation_id) ? std::optional<JournalRecord>(record)
                                                  : std::nullopt;
    }
    case 'E': {
      EpochSeen record;
      return Parse(payload, record.sched_epoch) ? std::optional<JournalRecord>(record)
                                                : std::nullopt;
    }
    case 'S': {
      AgentStarted record;
      const bool good = words.size() == 2 && Parse(words[0], record.incarnation);
      record.boot_id = good ? words[1] : "";
      return good ? std::optional<JournalRecord>(record) : std::nullopt;
    }
    case 'Q': {
      AssignSeqSeen record;
      return Parse(payload, record.assign_seq) ? std::optional<JournalRecord>(record)
                                               : std::nullopt;
    }
    case 'L': {
      RecordsLost record;
      return Parse(payload, record.incarnation) ? std::optional<JournalRecord>(record)
                                                : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::string Frame(const JournalRecord& record) {
  const std::string body = std::visit([](const auto& kind) { return BodyOf(kind); }, record);
  const auto size = static_cast<uint32_t>(body.size());
  const uint32_t crc = Crc32(body);
  std::string frame(kHeaderBytes, '\0');
  std::memcpy(frame.data(), &size, sizeof(size));
  std::memcpy(frame.data() + sizeof(size), &crc, sizeof(crc));
  return frame + body;
}

struct FoundFrame {
  JournalRecord record;
  size_t size;
};

// The record at `at`, if a whole one with the right checksum is there.
std::optional<FoundFrame> ReadFrame(absl::string_view bytes, size_t at) {
  if (at + kHeaderBytes >= bytes.size()) {
    return std::nullopt;
  }
  uint32_t size = 0;
  uint32_t crc = 0;
  std::memcpy(&size, bytes.data() + at, sizeof(size));
  std::memcpy(&crc, bytes.data() + at + sizeof(size), sizeof(crc));
  if (size == 0 || size > bytes.size() - at - kHeaderBytes) {
    return std::nullopt;
  }
  const absl::string_view body = bytes.substr(at + kHeaderBytes, size);
  auto record = Crc32(body) == crc ? ParseBody(body) : std::nullopt;
  if (!record.has_value()) {
    return std::nullopt;
  }
  return FoundFrame{*std::move(record), kHeaderBytes + size};
}

// Records after the damage: this is no torn end.
absl::Status Damaged(const std::string& path, size_t at, size_t size) {
  return MakeError(
      absl::StatusCode::kDataLoss,
      {.code = "B5202",
       .message = absl::StrCat(path, " is damaged at byte ", at, " of ", size),
       .why = "what this node has accepted is not known for sure; nothing was started",
       .fix =
           "remove the file and restart: tasks are found by their folders, and what else was sent "
           "to this node is not run again"});
}

std::vector<JournalRecord> RecordsOf(const AgentState& state) {
  std::vector<JournalRecord> records;
  records.push_back(AgentStarted{state.incarnation, state.boot_id});
  if (state.whole_since != 0) {
    records.push_back(RecordsLost{state.whole_since});
  }
  records.push_back(EpochSeen{state.sched_epoch_max});
  records.push_back(AssignSeqSeen{state.assign_seq_max});
  for (const auto& [id, task] : state.tasks) {
    records.push_back(AssignmentAccepted{task.assignment});
    if (task.rendezvous_port != 0) {
      records.push_back(RendezvousReserved{id, task.rendezvous_port});
    }
  }
  for (const uint64_t id : state.tombstones) {
    records.push_back(TombstoneSet{id});
  }
  return records;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(absl::string_view data_dir,
                                                       AgentState& state) {
  const std::string lock_path = absl::StrCat(data_dir, "/agent.lock");
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", lock_path));
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B5201",
                      .message = absl::StrCat("another agent uses ", data_dir),
                      .why = "two agents on one data folder would run tasks twice",
                      .fix = "stop the other one, or give this one its own data_dir"});
  }
  const int folder = open(std::string(data_dir).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<Journal> journal(
      new Journal(absl::StrCat(data_dir, "/", kJournalName), lock, folder));
  RETURN_IF_ERROR(journal->Read(state));
  return journal;
}

Journal::~Journal() {
  if (file_ >= 0) {
    close(file_);
  }
  close(folder_);
  close(lock_);
}

absl::Status Journal::Read(AgentState& state) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path_));
  }
  const auto content = ReadFileAt(AT_FDCWD, path_.c_str());
  if (!content.has_value()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path_));
  }
  const absl::string_view bytes = *content;
  size_t at = 0;
  while (const auto found = ReadFrame(bytes, at)) {
    ApplyRecord(found->record, state);
    at += found->size;
  }
  for (size_t later = at + 1; later + kHeaderBytes < bytes.size(); ++later) {
    if (ReadFrame(bytes, later).has_value()) {
      return Damaged(path_, at, bytes.size());
    }
  }
  if (at < bytes.size()) {
    LogWarning("torn end of the journal cut off", {
                                                      {"bytes", bytes.size() - at}
    });
    if (ftruncate(file_, static_cast<off_t>(at)) != 0 || fdatasync(file_) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot truncate ", path_));
    }
  }
  size_ = static_cast<int64_t>(at);
  records_lost_ = at == 0 || at < bytes.size();
  return absl::OkStatus();
}

absl::Status Journal::Append(const std::vector<JournalRecord>& records, bool sync) {
  std::string bytes;
  for (const JournalRecord& record : records) {
    bytes += Frame(record);
  }
  absl::Status status = WriteWhole(file_, bytes.data(), bytes.size())
                            ? absl::OkStatus()
                            : absl::ErrnoToStatus(errno, "cannot write the journal");
  if (status.ok() && sync && fdatasync(file_) != 0) {
    status = absl::ErrnoToStatus(errno, "cannot force the journal to disk");
  }
  if (!status.ok()) {
    // Half a record in the middle would make the next start refuse the file.
    const int cut = ftruncate(file_, static_cast<off_t>(size_));
    return cut == 0 ? status
                    : absl::DataLossError(absl::StrCat(path_, " is damaged: ", status.message()));
  }
  size_ += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

bool Journal::IsLarge() const {
  return size_ >= kCompactAtBytes;
}

absl::Status Journal::Compact(const AgentState& state) {
  std::string bytes;
  for (const JournalRecord& record : RecordsOf(state)) {
    bytes += Frame(record);
  }
  if (!WriteFileDurably(folder_, kJournalName, bytes)) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rewrite ", path_));
  }
  close(file_);
  file_ = open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  size_ = static_cast<int64_t>(bytes.size());
  return file_ >= 0 ? absl::OkStatus()
                    : absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path_));
}

}  // namespace berth
