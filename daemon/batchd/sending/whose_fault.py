"""Whose fault a refusal is: the account's, the route's, a row's, or nobody's if it passes. By code, words and status.

No service documents its refusals, so codes and words of many are listed here, and nowhere else. Evidence (the same
refusal for other rows too) is added by `refusal_policy` and `line_refusals`.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cache

from msgspec import Struct


class Blame(Enum):
    """Who has to do something about a refusal."""

    ACCOUNT = auto()
    """The owner of the account at the service, who pays for it."""
    ROUTE = auto()
    """The operator: a setting of the route or the provider does not suit the service."""
    ROW = auto()
    """The person who dropped the file: this row cannot be asked."""
    PASSING = auto()
    """Nobody: it passes."""
    UNKNOWN = auto()
    """The refusal does not tell."""


class ServiceRefusal(Struct, frozen=True):
    """What a service said: of a call, of a batch, or of one line."""

    code: str
    message: str
    status: int | None = None
    param: str | None = None

    @property
    def signature(self) -> tuple[str, str]:
        """The same for two refusals that differ only in numbers and names."""
        return self.code.lower(), _VARIABLE.sub("#", self.message.lower()).strip()


_VARIABLE = re.compile(r"['\"`“][^'\"`”]{1,80}['\"`”]|\b[a-z]*[-_]?[0-9][\w-]*")

MONEY = "Add credit there or raise its limit; the owner of the account can."
STORAGE = "Delete old files there, or have the account's room for files raised."
ACCESS = "The owner of the account has to verify or unlock it there, or to allow its key this use."

_ACCOUNT_CODES = {
    MONEY: frozenset(
        {
            "insufficient_quota", "insufficient_balance", "insufficient_user_quota", "insufficient_credits",
            "insufficientbalance", "insufficientquota", "billing_hard_limit_reached", "billing_not_active",
            "billing_limit_exceeded", "arrearage", "arrears", "accountoverdueerror", "accountoverdue",
            "account_overdue", "account_in_arrears", "exceeded_current_quota_error", "payment_required",
            "credit_balance_too_low", "spending_limit_reached", "spend_limit_exceeded", "budget_exceeded",
            "allocationquota.freetieronly", "commoditynotpurchased", "prepaidbilloverdue", "postpaidbilloverdue",
            "quota_exceeded", "insufficient_funds", "billing_disabled", "1113", "http_402",
        }
    ),
    STORAGE: frozenset({"quotaexceeded", "storage_quota_exceeded", "file_quota_exceeded", "storage_full"}),
    ACCESS: frozenset(
        {
            "organization_not_verified", "account_deactivated", "account_suspended", "access_terminated",
            "access_terminated_error", "accessdenied.unpurchased", "accessdenied", "permission_denied",
            "permission_error", "invalid_api_key", "api_key_invalid", "unsupported_country_region_territory",
            "invalidaccountstatus", "modelnotopen", "organization_restricted", "setlimitexceeded", "http_401",
            "http_403", "authentication_error", "authenticationerror", "invalid_authentication", "unauthenticated",
            "unauthorized", "forbidden", "access_denied", "accessdeniedexception", "project_archived",
            "not_authorized_invalid_project", "subscriptiondisabled", "service_disabled", "consumer_suspended",
            "1000", "1001", "1002", "1003", "1004", "1110", "1111", "1112", "1220",
        }
    ),
}  # fmt: skip
_LOCKED_WORDS = (
    r"(must|has to|needs? to) be verified|not (been )?verified|verify (your )?organi[sz]ation",
    r"(access|account|organi[sz]ation|project|key)[^.]{0,40}\b(terminated|deactivated|suspended|disabled)",
    r"(access|account|organi[sz]ation|project|key)[^.]{0,40}\b(blocked|banned|locked|frozen|revoked|inactive|restricted)",
    r"(account|organi[sz]ation|project|workspace|team)[^.]{0,20}\b(archived|closed|deleted|paused|on hold)",
    r"(account|organi[sz]ation) (is |are )?(under|in) review",
    r"subscription[^.]{0,20}\b(disabled|expired|ended|paused|cancell?ed|not active)",
    r"(account|organi[sz]ation|project|key)[^.]{0,40}\bnot (active|activated|approved)",
    r"(identity|phone|e-?mail|account|age) verification|verify your|real[- ]name|\bKYC\b",
    r"实名|未认证|(账|帐)(号|户)[^。]*(异常|停用|冻结|封禁|禁用|锁定|非活动)|未开通|未激活",
    r"tài khoản[^.]{0,40}(kho[áa]|khóa|vô hiệu|đình chỉ|tạm ngưng)|chưa (được )?(xác minh|kích hoạt)",
)
"""The account is locked, or not open yet: a state that applies to all rows."""
_ACCOUNT_WORDS = {
    # Before MONEY: "quota" is said of both.
    STORAGE: (
        r"\bstorage\b[^.]*\b(full|exceed\w*|limit|quota|used up|exhausted)",
        r"\b(full|exceed\w*|limit|quota|no (more )?room)\b[^.]*\bstorage\b",
        r"\bfile quota\b|\bno more files\b|\btoo many files\b|\b(maximum|max) (number of )?files\b",
        r"\bnumber of (uploaded |stored )?files\b",
        r"存储(空间)?(已满|不足|超)|文件(数|数量|个数)(已)?(达|超)",
    ),
    MONEY: (
        r"insufficient[ _](account )?(balance|quota|credit|fund)",
        r"(exceed\w*|used up|run out of|exhausted)[^.]*\b(current |monthly |your |free )quota",
        r"\b(current|monthly|free|account) quota\b[^.]*\b(used up|exceed\w*|exhausted)",
        r"plan and billing|billing hard limit|hard limit\b|credit balance|\b(out of|no|not enough) credits?\b",
        r"\b(balance|credits?|funds|wallet) (is |are |has been |have been )?(too low|not enough|insufficient|negative)",
        r"\b(balance|credits?|funds|wallet|allowance) (is |are |has been )?(empty|depleted|exhausted|used up)",
        r"not enough (balance|money|funds)|credits? (has|have) run out|specified (API )?usage limit",
        r"\b(spend|spending|usage|budget) (limit|cap)\b|monthly (budget|limit)|budget (has been |is )?exceeded",
        r"\barrear|\boverdue\b|past due|\bunpaid\b|good standing|payment (is )?(required|method|failed)",
        r"\btop up\b|\brecharge",
        r"billing[^.]*(not active|inactive|disabled|not enabled|suspended)|free tier[^.]*(exhausted|used up|exceeded)",
        r"(only )?available (only )?(to|for|on) (paid|paying|pro|premium|enterprise)",
        r"upgrade (to|your) [^.]{0,20}(plan|tier|account)",
        r"(reached|exceeded) (the|your) (set )?(inference|consumption|spend|spending|budget) limit",
        r"\bquotas?\b[^.]{0,20}\b(used up|exhausted|depleted)|\b(daily|weekly|monthly) (usage )?quota exceeded",
        r"\b(daily|weekly|monthly) (usage |free |request )?limit\b[^.]{0,30}\b(exceeded|reached|used up|free)",
        r"\b(negative|zero|outstanding|no remaining) (balance|credits?)|\bno (remaining|more) (credits?|balance|quota)",
        r"\bcredit limit\b|\badd (\d+|more) credits\b|exceeded (its|the|your)\b[^.]{0,20}\bspend",
        r"\btrial\b[^.]{0,40}\b(expired|ended|over|used up|exhausted)|card (is )?required",
        r"\b(no|set up|add|enable|configure|missing) (a |an |your )?(billing|payment method|credit card)",
        r"\b(plan|(?<!service )tier|subscription)\b[^.]{0,30}\b(doesn't|not) (support|include|allow|cover|eligible)\b",
        r"\b(requires?|needs?|only for) (an? |the )?((usage|build|paid|pro|higher|active) )+(tier|plan|subscription)",
        r"\bsubscription (is )?(required|needed)|\b(limit|quota) (for|of|on) your (plan|tier|subscription)",
        r"欠费|欠款|余额|充值|缴费|(额度|配额|资源包)(不足|已用|已耗|用尽|耗尽)|账单|免费额度|使用上限|付费用户|等级不支持",
        r"số dư|hết (hạn mức|tiền|tín dụng)|hạn mức[^.]{0,20}\bhết|nạp (thêm )?tiền|không đủ (tiền|tín dụng)",
        r"残高|クレジット[がの]?(不足|残)|利用上限|잔액|크레딧|\bsaldo\b|\bsolde\b|\bguthaben\b|баланс",
        r"cr[eé]dit\w* (insufi|insuffi|agotad|esgotad|[ée]puis)|недостаточно (средств|кредит)",
    ),
    ACCESS: (
        *_LOCKED_WORDS,
        r"country, region, or territory not supported|\blocation (is )?not (supported|allowed)",
        r"not available in your (country|region)",
        r"\bregion (is )?not supported|member of an organi[sz]ation|^(model )?access denied",
        r"\bno such (account|organi[sz]ation|project)\b",
        r"^(forbidden|unauthori[sz]ed)\b|(not authori[sz]ed|not permitted|not entitled) to (use|access|create)",
        (
            r"(account|key|organi[sz]ation|project|user|subscription|you)\b[^.]{0,40}"
            r"(no|not have|n't have|lacks) (permission|access)"
        ),
        r"\bnot (enabled|activated|allowed|eligible) (for|to|on|in) (your|this) (account|organi|project|team|key|work)",
        r"\b(account|organi[sz]ation|project|workspace|team)\b[^.]{0,20}\bnot (allowed|eligible|permitted|entitled)",
        r"\b(incorrect|invalid|wrong|missing|no|expired) ((x-)?api[- ]?key|auth(entication)?\b|credentials?)",
        r"\b(api[- ]?key|(access|api|auth\w*) token|credentials?)\b[^.]{0,30}\b(not valid|invalid|expired)",
        r"\bauthentication (fails|failed|is required|required|credentials)",
        r"\b(terms|policy|agreement|license)\b[^.]{0,30}\baccepted|\b(accept|agree to) the\b[^.]{0,20}\b(terms|policy)",
        r"没有权限|无权限|未授权|鉴权失败|身份验证失败|地区[^。]{0,6}不支持|无效的(令牌|密钥|API)",
        r"(令牌|密钥|API ?Key)[^。]{0,10}(无效|失效|过期|不可用|错误)",
        r"không có quyền|khóa API[^.]{0,20}(không hợp lệ|hết hạn)",
    ),
}
_LOCKED_CODES = _ACCOUNT_CODES[ACCESS] - {
    "accessdenied", "permission_denied", "permission_error", "invalid_api_key", "api_key_invalid", "http_401",
    "http_403",
}  # fmt: skip

_ROUTE_CODES = frozenset(
    {
        "model_not_found", "model_not_supported", "modelnotfound", "invalid_model", "model_not_available",
        "invalid_url", "url_mismatch", "invalid_endpoint", "invalid_completion_window", "unsupported_endpoint",
        "model_decommissioned", "model_deprecated", "model_retired", "deploymentnotfound", "deployment_not_found",
    }
)  # fmt: skip
_ROUTE_WORDS = re.compile(
    r"\bmodel\b[^.]*\b((does )?not exist|not found|not supported|unknown|no such)|"
    r"\bmodel\b[^.]*\b(is|was|been|reached) (decommissioned|deprecated|retired|shut ?down|sunset|(its )?end of life)|"
    r"\b(unknown|invalid) model\b|\bmodel is not an? \w+ model|\bonly supported in v1/|"
    r"\b(model|endpoint)\b[^.]{0,40}\bnot support(ed)?\b( the)?( v1/| batch| chat| embeddings?| responses|$|\.)|"
    r"\bmodel\b (`[^`]*` |\S+ )?is not available\b|\bnot a valid model|\bno endpoints found|"
    r"\bno (allowed )?(providers?|channels?|deployments?) (is |are )?(available|found)|\bdeployment\b[^.]*\bnot exist|"
    r"(unsupported|invalid) completion_window|"
    r"\b(only|must|requires?|enable|set)\b[^.]{0,40}\bstream(ing)?\b|\bstream(ing)?\b[^.]{0,30}\b(only|required)\b|"
    r"\bnon-?stream(ing|ed)?\b[^.]{0,40}\bnot (supported|allowed)\b|"
    r"does not exist or you do not have access|no such model|模型[^。]{0,30}(不存在|不支持批|已下线)|"
    r"无可用渠道|mô hình[^.]{0,30}không (tồn tại|được hỗ trợ)",
    re.IGNORECASE,
)
_CREATE_PARAMS = frozenset({"endpoint", "completion_window", "metadata", "output_expires_after"})
"""Parameters of the call that creates a batch: settings of the provider, never of a row."""

_ROW_CODES = frozenset(
    {
        "context_length_exceeded", "string_above_max_length", "content_filter", "content_policy_violation",
        "responsibleaipolicyviolation", "datainspectionfailed", "data_inspection_failed", "invalid_image",
        "invalid_image_url", "image_too_large", "invalid_prompt", "moderation_blocked", "sensitive_content",
        "sensitivecontentdetected", "oversizetext",
    }
)  # fmt: skip
_ROW_WORDS = re.compile(
    r"context (length|window)|maximum (context|prompt|input) length|(prompt|input|message)s? (is |are )?too long|"
    r"\b(input|prompt|message|text|image)\b[^.]{0,40}\bexceeds? (the )?max(imum)?\b[^.]*\btokens?|"
    r"length of (the )?input|"
    r"\binputs?`? (tokens?|length)\b[^.]{0,80}(should be|must be|<=|exceeds)|"
    r"content (policy|filter|management)|inappropriate|safety (system|filter|policy)|content exists risk|"
    r"(flagged|blocked)[^.]{0,40}\b(policy|policies|safety|moderation)|\bsensitive\b|敏感|违规|"
    r"\breduce (the length|your prompt)|violates\b[^.]*\bpolic|prohibited.content|exceeds the context|string too long|"
    r"(download(ing)?|process|decode|invalid|unsupported) (the |input |this )*image|输入长度|vi phạm|nhạy cảm",
    re.IGNORECASE,
)

_PASSING_CODES = frozenset(
    {
        "runner_lost",  # LiteLLM, when its proxy was restarted
        "server_error", "internal_error", "internal_server_error", "internalerror", "service_unavailable",
        "serviceunavailable", "overloaded", "overloaded_error", "engine_overloaded_error", "rate_limit_exceeded",
        "rate_limit_error", "ratelimitexceeded", "too_many_requests", "throttling", "throttling.ratequota",
        "server_overloaded", "timeout", "request_timeout", "insufficient_system_resource", "unavailable",
        "model_overloaded", "capacity_exceeded", "1302", "1303", "1305",
        "api_error", "serveroverloaded", "deadline_exceeded", "gateway_timeout", "bad_gateway", "batch_expired",
    }
)  # fmt: skip
_PASSING_WORDS = re.compile(
    r"\b(server|service|system|engine|model|backend|upstream)\b[^.]{0,40}\b(busy|overload\w*|unavailable|high demand)|"
    r"\btry again (later|in|shortly)\b|\bcan retry\b|\binternal (server )?error|\btoo many requests|"
    r"繁忙|负载已?饱和|稍后[再重]?试|内部错误|并发|请求过多|đang bận|thử lại sau",
    re.IGNORECASE,
)
PASSING_STATUSES = frozenset({408, 409, 425, 429, 498, 499})


_RATE = re.compile(
    r"\b(per|/) ?(second|sec|minute|min|hour)s?\b|\b[rt]p[ms]\b|\b(max|organization|request)\w* concurrency|"
    r"\bconcurrency limit|\b(try again|retry) (in|after) [\d.]+ ?(ms|s|sec|m|min)",
    re.IGNORECASE,
)
"""A limit for a short time, even if the sentence goes on to offer a better plan."""


@cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """The pattern of a list, compiled when first needed: at each start, that would take 30 ms in two processes."""
    return re.compile("|".join(f"(?:{each})" for each in words), re.IGNORECASE)


def advice_on_account(refusal: ServiceRefusal) -> str | None:
    """What the owner of the account must do about this refusal; None if it is not about the account."""
    code = refusal.code.lower()
    if _ROUTE_WORDS.search(refusal.message):
        return None
    if _RATE.search(refusal.message) and code not in _ACCOUNT_CODES[MONEY]:
        return None
    # Words first: they tell apart what one code ("quotaExceeded", "permission_error") is used for.
    for advice, words in _ACCOUNT_WORDS.items():
        if _any_of(words).search(refusal.message):
            return advice
    if code in _ROUTE_CODES or code in _ROW_CODES or _ROW_WORDS.search(refusal.message):
        return None
    for advice, codes in _ACCOUNT_CODES.items():
        if code in codes:
            return advice
    if refusal.status == 402:
        return MONEY
    return ACCESS if refusal.status in {401, 403} else None


def is_locked(refusal: ServiceRefusal) -> bool:
    """Whether it says that the account is locked or not open yet, and not only that something is not allowed."""
    return bool(_any_of(_LOCKED_WORDS).search(refusal.message)) or refusal.code.lower() in _LOCKED_CODES


def account_advice(code: str, message: str, status: int | None = None) -> str | None:
    """Who must do what about a refusal of the account; None if a refusal is about something else. For plugins."""
    return advice_on_account(ServiceRefusal(code, message, status))


def refuses_row(code: str, message: str) -> bool:
    """Whether a refusal is about this one request: its length, or what it says. For plugins."""
    return fault_of(ServiceRefusal(code, message)) is Blame.ROW


def fault_of(refusal: ServiceRefusal) -> Blame:
    """Whose fault it is, as far as one refusal tells."""
    code = refusal.code.lower()
    if advice_on_account(refusal) is not None:
        return Blame.ACCOUNT
    if code in _ROW_CODES or _ROW_WORDS.search(refusal.message):
        return Blame.ROW
    down = refusal.status is not None and refusal.status >= 500  # then what it says of the model may pass, too
    if not down and (code in _ROUTE_CODES or _ROUTE_WORDS.search(refusal.message)):
        return Blame.ROUTE
    if code in _PASSING_CODES or _PASSING_WORDS.search(refusal.message) or _RATE.search(refusal.message):
        return Blame.PASSING
    if refusal.status is not None and (refusal.status in PASSING_STATUSES or not 400 <= refusal.status < 500):
        return Blame.PASSING
    return Blame.ROUTE if refusal.param in _CREATE_PARAMS else Blame.UNKNOWN
