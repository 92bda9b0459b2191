"""The sections of a recipe that belong to no stage: the model, the libraries, the report, how to run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from isheep.backends import ENGINES, EXAMINERS, TRAINERS
from isheep.stages.judged import JudgePrompts, ReferenceFile
from isheep.stages.stage import Settings, known_names

#: Trackers by name, and what each is called in its module of isheep.trackers. Its extra has its name.
TRACKERS = {"tensorboard": "TensorBoard", "wandb": "WandB", "mlflow": "MLflow", "trackio": "Trackio"}


class ModelSettings(Settings):
    base: str = "lamb"
    """The base model: `lamb` (embedded), a folder, or a Hugging Face hub id of a causal language model."""
    revision: str | None = None
    """Commit, tag or branch of a hub model. Name a commit if the run is to be repeatable."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights; `auto`: bfloat16 on a GPU that has it, float32 on a CPU."""
    layout: Literal["auto", "chat", "chatml", "plain", "question", "qa", "user"] = "auto"
    """How a request and its answer are written down, in every stage. `chat`: the tokenizer's own template. `chatml`:
    the paper's. `auto`: `chat` where the tokenizer has a template whose tokens the model knows, else `question`."""
    load_in: Literal["8bit", "4bit"] | None = None
    """Load the base's weights in fewer bits by bitsandbytes (`pip install 'isheep[quant]'`): `8bit` (LLM.int8) or
    `4bit` (NF4, with LoRA on top as in QLoRA). A model so loaded is another model: part of every key."""
    context: int | None = Field(None, ge=16)
    """Tokens a prompt and its answer may have together; null: what the model can hold. Fewer save memory in vLLM."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model. Off: code from a model repository is never run."""


class BackendSettings(Settings):
    engine: str = "hf"
    """Who writes and scores: `hf` (transformers), `vllm` (on NVIDIA GPUs), `openai` (a server that speaks the OpenAI
    API, see `server`), `fake` (no model; to try a recipe's shape). Hidden states, where one shows none: `hf`."""
    trainer: str = "trl"
    """Who trains: `trl` (TRL and PEFT), `fake`."""
    examiner: str = "auto"
    """Who asks the fixed benchmarks: `lm_eval` (on transformers), `lm_eval_vllm` (on vLLM), `fake`. `auto`: as the
    engine."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return known_names((name,), ENGINES)[0]

    @field_validator("examiner")
    @classmethod
    def _known_examiner(cls, name: str) -> str:
        return known_names((name,), ("auto", *EXAMINERS))[0]

    @field_validator("trainer")
    @classmethod
    def _known_trainer(cls, name: str) -> str:
        return known_names((name,), TRAINERS)[0]


class ServerSection(Settings):
    """For `backend.engine: openai`. The base model's files (`model.base`) are still what is trained."""

    url: str = "http://localhost:8000/v1"
    """The base address of its API; never part of a key."""
    key_env: str = ""
    """The environment variable that holds the server's key; empty: it needs none. The key is never written anywhere."""
    model: str = ""
    """The base model's name on the server; empty: the only one it lists."""
    api: Literal["completions", "chat"] = "completions"
    """`completions` continues raw text, as a base model needs; `chat` sends messages, and the server lays them out."""
    adapters: Literal["none", "vllm"] = "none"
    """How the server gets the trained adapters: `none` (then only the base can be asked), or `vllm` (loaded at run
    time; the server must see the store's folder and run with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1)."""
    timeout: float = Field(600.0, gt=0)
    """Seconds without a word from the server before a request is asked again; never part of a key."""


class ChatSection(Settings):
    pairwise: tuple[str, ...] = ()
    """Question files judged against a baseline's answers (AlpacaEval's protocol): `alpaca_eval.json`, or your own."""
    graded: tuple[str, ...] = ()
    """Question files graded 1 to 10, turn by turn (MT-Bench's protocol): FastChat's `question.jsonl`, or your own."""
    baseline: Literal["file", "base"] = "file"
    """Whose answers the pairwise ones are held against: the `output` in the file, or the base model's own."""
    references: Annotated[str | None, ReferenceFile("questions", ".jsonl", is_data=True)] = None
    """File with (corrected) reference answers for the graded questions; null: those in the question file."""
    max_tokens: int = Field(1024, ge=1)
    """Longest answer in tokens."""
    temperature: float | None = Field(None, ge=0)
    """Temperature of the answers; null: MT-Bench's by category (writing and roleplay 0.7, exact subjects 0)."""
    limit: int | None = Field(None, ge=1)
    """The first so many questions of each file; null: all."""


class JudgeSection(Settings):
    kind: Literal["openai", "engine", "scripted"] | None = None
    """Who judges the chat: `openai` (any server that speaks the OpenAI chat API), `engine` (a model of your own on this
    machine), `scripted` (no model; to try a recipe). null: nobody, and no chat can be asked for."""
    model: str = ""
    """Its name on the server; for `engine` a folder, a hub id, or `base` (this run's own base model)."""
    url: str = "https://api.openai.com/v1"
    """Where the server is; never part of a key."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the server's key. The key itself is never written anywhere."""
    prompts: Annotated[str, JudgePrompts("prompts/chat", "/graded.txt")] = "isheep"
    """Judge prompts: `isheep` (our own wording), a folder of that form, or FastChat's `judge_prompts.jsonl`."""
    reading: Literal["choice", "expected"] = "choice"
    """Pairwise verdicts: the label it writes, or the probability of the labels where the judge gives it."""
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature of the judge."""
    max_tokens: int = Field(2048, ge=1)
    """Longest verdict with its reasons, in tokens (FastChat: 2048)."""
    script: str | None = None
    """`scripted` only: its policy or file."""


class ReportSettings(Settings):
    samples: int = Field(10, ge=0)
    """Random kept and dropped records shown per iteration."""
    truth: Literal["none", "lamb"] = "none"
    """Who knows the right answers of generated tasks: `lamb` (the embedded model's world), or nobody."""
    family: tuple[str, ...] = ()
    """The family of tests that Holm's correction covers, each model against the base: "task" (its headline metric) or
    "task/metric". Empty: the headline metric of every task."""


class RuntimeSettings(Settings):
    """How to run. Nothing here enters a key: it may change speed, never the result."""

    batch_size: int = Field(64, ge=1)
    """Prompts per forward pass; halved by itself when memory runs out."""
    device: str = "auto"
    """`auto` (cuda, then mps, then cpu) or a torch device."""
    threads: int | None = Field(None, ge=1)
    """CPU threads; null leaves it to torch."""
    concurrency: int = Field(8, ge=1)
    """Questions a server is asked at once."""
    workers: int = Field(1, ge=1)
    """Engines that work at once, each in a worker of Ray (`pip install 'isheep[ray]'`), one GPU or more each."""
    ray: str = ""
    """Address of a Ray cluster (`auto`, `ray://HOST:10001`); empty: Ray is started on this machine."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs that one vLLM engine is spread over."""
    gpu_memory: float = Field(0.9, gt=0, le=1)
    """Share of each GPU's memory that vLLM takes."""
    device_map: bool = False
    """Spread one transformers model over all GPUs, layer by layer, when it does not fit on one."""
    launch: str = ""
    """What starts the processes of a training on several GPUs or machines: a shipped accelerate config (`ddp_4`,
    `fsdp2_8`, ...; docs/scale.md) or a command (`torchrun --nproc-per-node 4`). Their number divides
    `train.accumulation`, so it changes speed alone. Empty: one process."""
    allow_code_execution: bool = False
    """Run code that the model wrote, for the code benchmarks: in a subprocess with limits and no network. Read
    docs/sandbox.md first. Never part of a key."""
    isolation: Literal["auto", "process", "none"] = "auto"
    """Run each step that loads a model in its own process, so its memory is truly free afterwards. `auto`: on a GPU."""


class TrackersSettings(Settings):
    """Where figures are logged while a run goes on. Nothing here enters a key; it may change on a resumed run."""

    use: tuple[str, ...] = ()
    """Trackers, any of `tensorboard`, `wandb`, `mlflow`, `trackio`; each needs its extra (`pip install
    'isheep[wandb]'`). docs/trackers.md has the names of what is logged. Keys and addresses are in the environment."""
    project: str = Field("isheep", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """The project, or experiment, the run is logged to."""
    run: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._ -]{0,127})?$")
    """What the run is called there; empty: its own name."""

    @field_validator("use")
    @classmethod
    def _known_trackers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, TRACKERS)
