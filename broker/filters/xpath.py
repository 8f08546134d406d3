"""The filter ``XPathFilter``: an XPath expression over XML contents (spec xmlblaster §12.1)."""

from __future__ import annotations

from broker.errors import BrokerError, Code
from broker.filters.candidate import Candidate, Predicate
from broker.filters.latest import Latest
from broker.model.address import parse_session_name
from broker.xml.document import Document, parse_content
from broker.xml.names import NAMES
from broker.xml.xpath import compile_predicate

XML_TYPES = frozenset({"text/xml", "application/xml"})
XML_SUFFIX = "+xml"


def compile_xpath(text: str) -> Predicate:
    """Let messages pass whose content the expression selects something in, or is true for.

    Messages of other MIME types than XML pass too: the filter does not apply to them. The predicate raises BrokerError
    ``user.configuration`` for a content that is not the XML its type promises, and ``resource.exhaust`` where reading
    or searching it would take too much.

    Raises:
        BrokerError: ``user.query.invalid`` for an expression that is malformed or not allowed.
    """
    query = compile_predicate(text)

    def passes(candidate: Candidate) -> bool:
        if not is_xml(candidate.key.mime):
            return True
        document = _document(candidate.content, candidate.qos.sender)
        if isinstance(document, BrokerError):
            # Raised anew each time: an exception collects the traceback of everybody who raises it.
            raise BrokerError(document.code, document.message)
        return query.matches(document)

    return passes


def is_xml(mime: str) -> bool:
    """Whether a MIME type, with or without parameters, says that the content is XML."""
    kind = mime.partition(";")[0].strip().lower()
    return kind in XML_TYPES or kind.endswith(XML_SUFFIX)


def _parse(content: bytes, sender: str) -> Document | BrokerError:
    """The parsed content, or why it cannot be parsed: neither is worked out again for the next subscriber.

    Args:
        content: of the message.
        sender: session name of its publisher, who pays for names that are new.
    """
    try:
        with NAMES.paid_by(parse_session_name(sender, "").subject if sender else ""):
            return parse_content(content)
    except BrokerError as error:
        code = Code.USER_CONFIGURATION if error.code == Code.USER_ILLEGAL_ARGUMENT else error.code
        return BrokerError(code, f"The XPath filter cannot read the content: {error.message}")


_document = Latest(_parse)
